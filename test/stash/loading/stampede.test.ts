import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, inject, it } from 'vitest'
import { madeSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'

const script = join(import.meta.dirname, '../../fixtures/loading/crowd.mjs')
const processes = rounds({ shallow: 3, deep: 8 })
const keys = rounds({ shallow: 15, deep: 100 })
const callers = rounds({ shallow: 200, deep: 1_000 })
const leaseMs = 3_000

/** What a process says: of each loader that began, or at its end. */
interface Said {
  readonly key?: string
  readonly at?: number
  readonly wrong?: number
}

interface Load {
  readonly key: string
  readonly at: number
}

/** @param fatalKey who is the first to load it is killed while he does */
async function stampede(loadMs: number, fatalKey?: string) {
  const url = inject('postgresUrl')
  const env = { URL_OF_SERVER: url, SCHEMA: await madeSchema(url), CALLERS: String(callers), KEYS: String(keys) }
  const terms = { LOAD_MS: String(loadMs), LEASE_MS: String(leaseMs) }
  const loads: Load[] = []
  const wrong: number[] = []
  let killedAt: number | undefined
  const ended = Array.from({ length: processes }, async () => {
    const own = { ...process.env, ...env, ...terms }
    const child = spawn(process.execPath, [script], { env: own, stdio: ['ignore', 'pipe', 'inherit'] })
    createInterface(child.stdout).on('line', (line) => {
      const said = JSON.parse(line) as Said
      if (said.wrong !== undefined) wrong.push(said.wrong)
      if (said.key === undefined) return
      loads.push(said as Load)
      if (said.key !== fatalKey || killedAt !== undefined) return
      killedAt = Number(process.hrtime.bigint()) / 1e6
      child.kill('SIGKILL')
    })
    await once(child, 'close')
  })
  await Promise.all(ended)
  return { loads, wrong, killedAt }
}

const timeout = 300_000

it('a key that nobody has is loaded once, by whatever process', { timeout }, async () => {
  const { loads, wrong } = await stampede(30)
  expect(wrong).toEqual(Array.from({ length: processes }, () => 0))
  expect(loads.map(({ key }) => key).sort()).toEqual(Array.from({ length: keys }, (_, at) => `key-${at}`).sort())
})

it('a key whose loader is killed is loaded once more, within its lease and a pause', { timeout }, async () => {
  const { loads, wrong, killedAt } = await stampede(300, 'key-3')
  expect(wrong).toEqual(Array.from({ length: processes - 1 }, () => 0))
  const ofKey = loads.filter(({ key }) => key === 'key-3')
  expect(ofKey).toHaveLength(2)
  expect((ofKey[1] as Load).at - (killedAt as number)).toBeLessThan(leaseMs + 250)
  expect(loads).toHaveLength(keys + 1)
})
