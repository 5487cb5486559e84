import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { delimiter, dirname, join } from 'node:path'

const root = join(import.meta.dirname, '../..')
const vitest = join(root, 'node_modules/vitest/vitest.mjs')

/**
 * Runs one after the other, to the last, also where one fails: then a table of them all, and an exit code that says whether all went well.
 * @param {readonly { name: string, run: () => Promise<boolean> }[]} runs
 */
export async function runAll(title, runs) {
  console.log(title)
  const outcomes = []
  for (const { name, run } of runs) outcomes.push(await outcomeOf(name, run))
  console.log(`\n${outcomes.map(({ line }) => line).join('\n')}`)
  process.exitCode = outcomes.every(({ isWell }) => isWell) ? 0 : 1
}

async function outcomeOf(name, run) {
  console.log(`\n=== ${name}`)
  const start = performance.now()
  // What could not be downloaded fails by name too, and keeps no other version from its turn.
  const isWell = await run().catch((error) => console.error(`${name}: ${error.message}`) ?? false)
  const seconds = ((performance.now() - start) / 1_000).toFixed(0).padStart(4)
  return { isWell, line: `${isWell ? 'ok    ' : 'FAILED'} ${seconds} s  ${name}` }
}

/**
 * The suites named, at their shallow depth and on the PostgreSQL that the run boots alone. Each line about a failure bears the name.
 * @returns {Promise<boolean>} whether they passed
 */
export async function passes(name, suites, { node = process.execPath, env = {} } = {}) {
  const { PGSTASH_DEPTH: _, DATABASE_URL: __, ...inherited } = process.env
  // Processes that the tests start are to be of the same Node.
  const path = [dirname(node), process.env.PATH].join(delimiter)
  const args = [vitest, 'run', '--config', 'test/matrix/vitest.config.ts', ...suites]
  const child = spawn(node, args, {
    cwd: root,
    env: { ...inherited, PATH: path, PGSTASH_BODIES: 'postgres', PGSTASH_RUN: name, ...env },
    stdio: 'inherit',
  })
  const [code] = await once(child, 'exit')
  return code === 0
}
