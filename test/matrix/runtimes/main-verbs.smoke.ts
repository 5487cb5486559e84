import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freshSchema } from '../../support/bodies'
import { bad, entries, hosts, limits } from './answers'
import { Project } from './project'

/** By name, how a script is started there. */
const runtimes = Object.entries(
  JSON.parse(process.env.PGSTASH_RUNTIMES ?? '{}') as Record<string, [string, ...string[]]>,
)

const scripts = {
  'entries.mjs': entries,
  'sessions-and-limits.mjs': limits,
  'hosts.mjs': hosts,
}

let project: Project
beforeAll(async () => {
  project = await Project.create()
}, 180_000)
afterAll(() => project.remove())

describe.each(runtimes)('%s', (_, start) => {
  const onPostgres = () => ({ URL: inject('postgresUrl'), SCHEMA: freshSchema() })

  it.each(Object.entries(scripts))('%s answers as it should, and ends by itself', async (script, answers) => {
    expect(await answersOf([...start, script], onPostgres())).toEqual(answers)
  })

  // One script: it takes seconds to start, and does the same with what it is told wherever it runs.
  it('entries.mjs answers so on PGlite too', async () => {
    expect(await answersOf([...start, 'entries.mjs'], { SCHEMA: freshSchema() })).toEqual(entries)
  })

  it('tells failures apart', async () => {
    expect(await answersOf([...start, 'bad-days.mjs'], onPostgres())).toEqual(bad)
  })

  it('has the command line', async () => {
    const { URL: url, SCHEMA: schema } = onPostgres()
    const command = [...start, 'node_modules/pgstash/dist/cli/main.js'] as [string, ...string[]]
    const migrate = await project.run([...command, 'migrate', '--url', url, '--schema', schema], {})
    expect(migrate).toEqual({ code: 0, output: expect.stringMatching(/^Applied 0001_tables, /) })
    const doctor = await project.run([...command, 'doctor', '--json', '--url', url, '--schema', schema], {})
    expect(JSON.parse(doctor.output)).toMatchObject({ isHealthy: true })
  })
})

async function answersOf(command: [string, ...string[]], env: Record<string, string>): Promise<unknown> {
  const { code, output } = await project.run(command, env)
  // What a runtime warns of would stand before the answers.
  expect(output).toMatch(/^\{.*\}\n$/)
  expect(code).toBe(0)
  return JSON.parse(output)
}
