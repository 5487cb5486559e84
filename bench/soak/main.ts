import { mkdirSync, writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { PgStash, RateLimiter, Sessions } from 'pgstash'
import { runSql } from '../measuring/run-sql'
import { sentenceOf, type Verdict } from '../measuring/verdict'
import { soakPicture } from './picture'
import type { Sample } from './sample'

const { values: flags } = parseArgs({
  options: { minutes: { type: 'string', default: '30' }, rate: { type: 'string', default: '2000' } },
})
const seconds = Number(flags.minutes) * 60
const rate = Number(flags.rate)
const url = process.env.DATABASE_URL ?? 'postgres://postgres@127.0.0.1:5432/postgres'
const schema = 'pgstash_soak'
const sampleEverySeconds = Math.max(1, Math.min(15, seconds / 60))

await runSql(url, `drop schema if exists ${schema} cascade`)
const autovacuum = (await runSql(url, 'show autovacuum')).rows[0].autovacuum as string
if (autovacuum !== 'on')
  console.log('autovacuum is off: what is deleted is never used again, and the tables will grow.')
const stash = new PgStash({ connectionString: url, schema, sweeper: { intervalMs: 10_000 } })
await stash.ready()
const samples = await soak()
await stash.close()
await runSql(url, `drop schema ${schema} cascade`)

const verdicts = judge(samples)
for (const verdict of verdicts) console.log(sentenceOf(verdict))
mkdirSync('bench/results', { recursive: true })
writeFileSync(
  'bench/results/soak.json',
  `${JSON.stringify({ seconds, rate, autovacuum, samples, verdicts }, undefined, 2)}\n`,
)
writeFileSync('bench/results/soak.svg', soakPicture(samples))
console.log('All samples: bench/results/soak.json. The picture: bench/results/soak.svg')

/** Calls at a moderate rate: entries that expire within a minute, sessions that come and go, limits of many callers. */
async function soak(): Promise<Sample[]> {
  const taken: Sample[] = []
  const life = makeLife()
  const started = performance.now()
  const elapsed = () => (performance.now() - started) / 1_000
  let calls = 0
  let nextSample = sampleEverySeconds
  let callsBefore = 0
  while (elapsed() < seconds) {
    // Twenty bursts a second, as requests come: not evenly.
    const burst = Array.from({ length: Math.ceil(rate / 20) }, life)
    await Promise.all([...burst, new Promise((resolve) => setTimeout(resolve, 50))])
    calls += burst.length
    if (elapsed() < nextSample) continue
    taken.push(await sample(elapsed(), (calls - callsBefore) / sampleEverySeconds))
    callsBefore = calls
    nextSample += sampleEverySeconds
  }
  return taken
}

function makeLife(): () => Promise<unknown> {
  const cache = stash.namespace('pages')
  const sessions = new Sessions({ stash, ttl: 60_000 })
  const limiter = new RateLimiter({ stash, limit: 20, windowMs: 30_000 })
  const some = (of: number) => Math.floor(Math.random() * of)
  const acts: (() => Promise<unknown>)[] = [
    () => cache.set(`page:${some(50_000)}`, 'x'.repeat(100 + some(2_000)), { ttl: 5_000 + some(55_000) }),
    () => cache.get(`page:${some(50_000)}`),
    () => cache.get(`page:${some(50_000)}`),
    () => cache.increment(`count:${some(1_000)}`, 1, { ttl: 60_000 }),
    () => sessions.set(`session:${some(1_000_000)}`, { user: some(1_000) }),
    () => sessions.get(`session:${some(1_000_000)}`),
    () => limiter.consume(`caller:${some(100_000)}`),
  ]
  return () => (acts[some(acts.length)] as () => Promise<unknown>)()
}

async function sample(elapsed: number, callsPerSecond: number): Promise<Sample> {
  globalThis.gc?.()
  const { rows } = await runSql(
    url,
    `select (select count(*) from pg_stat_activity where application_name = 'pgstash')::int as connections,
      (select sum(pg_total_relation_size(c.oid)) from pg_class c
        where c.relnamespace = '${schema}'::regnamespace and c.relkind = 'r')::bigint as bytes`,
  )
  const { connections, bytes } = rows[0] as { connections: number; bytes: string }
  const mebibytes = (count: number) => Math.round((count / 2 ** 20) * 10) / 10
  const taken: Sample = {
    seconds: Math.round(elapsed),
    heapMiB: mebibytes(process.memoryUsage().heapUsed),
    connections,
    tableMiB: mebibytes(Number(bytes)),
    callsPerSecond: Math.round(callsPerSecond),
  }
  console.log(JSON.stringify(taken))
  return taken
}

/** The last third over the second: in the first one caches and tables fill. */
function judge(taken: readonly Sample[]): Verdict[] {
  const third = Math.floor(taken.length / 3)
  const mean = (part: readonly Sample[], field: keyof Sample) =>
    part.reduce((sum, one) => sum + one[field], 0) / Math.max(1, part.length)
  return (['heapMiB', 'connections', 'tableMiB'] as const).map((field) => ({
    what: `${field} of the last third of ${flags.minutes} minutes, over the second third`,
    reached: mean(taken.slice(2 * third), field) / mean(taken.slice(third, 2 * third), field),
    bound: 1.1,
    is: 'at most',
  }))
}
