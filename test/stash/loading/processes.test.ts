import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { expect, inject, it } from 'vitest'
import { PgStash } from '../../../src/stash/pg-stash'
import { type Body, describePostgres, freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { builtPackage, type Removal } from '../../support/rules/removals'

const script = join(import.meta.dirname, '../../fixtures/loading/process.mjs')

/** More is found by more: a hundred thousand rounds take `LOADING_SECONDS=60`. */
const seconds = Number(process.env.LOADING_SECONDS ?? rounds({ shallow: 5, deep: 20 }))

interface Run {
  readonly mode: 'stampede' | 'fence'
  readonly processes: number
  readonly callers: number
  readonly keys: number
  readonly loadMs?: number
  readonly leaseMs?: number
  /** Left out of the code. */
  readonly code?: Removal
  /** Told of every line as it comes. */
  readonly onLine?: (line: Line, children: readonly ChildProcess[]) => void
}

type Line = Record<string, unknown>

/** Several processes, until all have ended; the lines that they wrote. */
async function run(body: Body, { mode, processes, callers, keys, loadMs = 0, leaseMs = 5_000, ...more }: Run) {
  const schema = freshSchema()
  const stash = new PgStash({ connectionString: inject('postgresUrl'), schema, sweeper: false })
  await stash.ready()
  await stash.close()
  await body.script(`create table ${schema}.source (key text primary key, n int not null)`)
  await body.script(`insert into ${schema}.source select 'k' || i, 0 from generate_series(0, ${keys - 1}) i`)
  const built = await builtPackage(more.code === undefined ? [] : [more.code])
  const env = {
    PACKAGE: built.url,
    URL_OF_SERVER: inject('postgresUrl'),
    SCHEMA: schema,
    MODE: mode,
    SECONDS: String(seconds),
    CALLERS: String(callers),
    KEYS: String(keys),
    LOAD_MS: String(loadMs),
    LEASE_MS: String(leaseMs),
    START_AT: String(Date.now() + 1_500 + 250 * processes),
  }
  const lines: Line[] = []
  const children = Array.from({ length: processes }, (_, at) =>
    spawn(process.execPath, [script], {
      env: { ...process.env, ...env, NAME: `p${at}` },
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  const read = (child: ChildProcess) => {
    let left = ''
    child.stdout?.on('data', (chunk: Buffer) => {
      const parts = (left + chunk).split('\n')
      left = parts.pop() as string
      for (const part of parts) {
        const line = JSON.parse(part) as Line
        lines.push(line)
        more.onLine?.(line, children)
      }
    })
    return new Promise((resolve) => child.on('close', resolve))
  }
  await Promise.all(children.map(read))
  await built.remove()
  return lines
}

/** Reads that answer from before a change which was acknowledged before they were asked. */
function staleReads(lines: readonly Line[]): { reads: number; changes: number; stale: string[] } {
  const told = lines.flatMap((line) => (line.told ?? []) as [string, string, number, number, string][])
  const changes = told.filter(([kind]) => kind === 'change')
  const reads = told.filter(([kind]) => kind === 'read')
  const stale = reads.flatMap(([, key, start, value]) => {
    const missed = changes.find(([, of, at, n]) => of === key && at < start && n > value)
    return missed === undefined ? [] : [`${key} ${value} < ${missed[3]} after ${missed[4]}`]
  })
  return { reads: reads.length, changes: changes.length, stale }
}

describePostgres('loads of several processes', (body) => {
  // A hundred thousand callers in each of eight processes keep two cores from renewing a lease for seconds: whoever stands still for longer than that is replaced, which is another test.
  it('8 processes, 1,000 callers of each of 100 keys: 100 loads', { timeout: 120_000 }, async () => {
    const lines = await run(body, {
      mode: 'stampede',
      processes: 8,
      callers: 1_000,
      keys: 100,
      loadMs: 200,
      leaseMs: 60_000,
    })
    const loads = lines.filter(({ load }) => load !== undefined)
    expect(loads).toHaveLength(100)
    expect(lines.filter(({ answered }) => answered === 100_000)).toHaveLength(8)
    expect(lines.filter(({ wrong }) => wrong === 0)).toHaveLength(8)
  })

  it('replaces a process that is killed while it loads, within its lease', { timeout: 120_000 }, async () => {
    let killedAt = 0
    const killed = new Set<string>()
    const leaseMs = 1_000
    const onLine = ({ by, at, load }: Line, children: readonly ChildProcess[]) => {
      if (load === undefined || killed.size > 0) return
      killed.add(by as string)
      killedAt = at as number
      children[Number((by as string).slice(1))]?.kill('SIGKILL')
    }
    const lines = await run(body, {
      mode: 'stampede',
      processes: 4,
      callers: 50,
      keys: 8,
      loadMs: 400,
      leaseMs,
      onLine,
    })
    const loads = lines.filter(({ load }) => load !== undefined) as { load: string; at: number; by: string }[]
    for (let key = 0; key < 8; key += 1) {
      const ofKey = loads.filter(({ load }) => load === `k${key}`)
      expect(ofKey.length).toBeGreaterThanOrEqual(1)
      expect(ofKey.length).toBeLessThanOrEqual(2)
      const second = ofKey.find(({ by }) => !killed.has(by))
      if (ofKey.some(({ by }) => killed.has(by))) expect((second?.at ?? 0) - killedAt).toBeLessThan(leaseMs + 250 + 250)
    }
    expect(lines.filter(({ answered }) => answered === 400)).toHaveLength(3)
  })

  const many: Run = { mode: 'fence', processes: 4, callers: 8, keys: 3 }

  it('answers nothing from before an acknowledged change', { timeout: 240_000 }, async () => {
    const { reads, changes, stale } = staleReads(await run(body, many))
    if (process.env.LOADING_SECONDS) console.log({ reads, changes, stale: stale.length })
    expect(reads).toBeGreaterThan(500)
    expect(changes).toBeGreaterThan(100)
    expect(stale).toEqual([])
  })

  it('answers from before a change where who joined late did not ask anew', { timeout: 240_000 }, async () => {
    const code = { rule: 'outcome.isForEarlier &&', without: 'false &&' }
    expect(staleReads(await run(body, { ...many, code })).stale.length).toBeGreaterThan(0)
  })
})
