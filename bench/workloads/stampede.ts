import { createClient } from '@redis/client'
import { CrowdProcess } from '../contestants/crowd-process'
import { runSql } from '../measuring/run-sql'
import { ServerCpu } from '../measuring/server-cpu'
import type { Settings } from '../measuring/settings'
import type { Verdict } from '../measuring/verdict'
import type { StoreName, Told } from '../stampede/messages'

const processes = 8
const keys = 100
const loadMs = 50
const fatalKey = 20
/** As it comes. */
const leaseMs = 5_000
/** Beyond the lease: the longest pause between two questions. */
const soonMs = 250

/** Eight processes, in each of which a thousand callers ask for a hundred keys, one after the other, and nobody has them. Then the same, and who loads the twentieth key is killed in the middle. */
export async function stampede(settings: Settings): Promise<Verdict[]> {
  const callers = settings.isQuick ? 100 : 1_000
  const server = await ServerCpu.open(settings)
  const names: StoreName[] = server.seesRedis ? ['pgstash', 'bentocache', 'cacheable'] : ['pgstash']
  await server.close()
  const verdicts: Verdict[] = []
  for (const name of names) {
    const { loads, tookMs, wrong } = await run(settings, { name, callers, loadMs })
    const what = `stampede, ${name}: loads of ${keys} keys by ${processes} processes of ${callers} callers`
    console.log(`${what}: ${loads.length}, in ${Math.round(tookMs)} ms, ${wrong} wrong answers`)
    const bound = name === 'pgstash' ? keys : 0
    verdicts.push({ what, reached: loads.length, bound, is: name === 'pgstash' ? 'at most' : null })
  }
  return [...verdicts, ...(await killed(settings, callers))]
}

/** Of ours: what becomes of the keys that the killed process was loading. */
async function killed(settings: Settings, callers: number): Promise<Verdict[]> {
  const { loads, killedAt, wrong } = await run(settings, { name: 'pgstash', callers, loadMs: 300, isKilled: true })
  const counts = new Map<string, number>()
  for (const { key } of loads) counts.set(key, (counts.get(key) ?? 0) + 1)
  const later = loads.filter(({ key, at }) => at > killedAt && (counts.get(key) as number) > 1)
  const latest = Math.max(...later.map(({ at }) => at)) - killedAt
  console.log(
    `stampede, loader killed: ${later.length} keys loaded again, the last ${Math.round(latest)} ms after, ${wrong} wrong answers`,
  )
  return [
    { what: 'stampede, loader killed: loads of a key', reached: Math.max(...counts.values()), bound: 2, is: 'at most' },
    {
      what: 'stampede, loader killed: the next load after ms',
      reached: latest,
      bound: leaseMs + soonMs,
      is: 'at most',
    },
  ]
}

interface Run extends Pick<Told, 'name' | 'callers' | 'loadMs'> {
  /** Whoever is the first to load {@link fatalKey}. */
  readonly isKilled?: boolean
}

async function run(settings: Settings, { isKilled = false, ...run }: Run) {
  const { databaseUrl, redisUrl } = settings
  const schema = `pgstash_bench_stampede_${process.pid}`
  await runSql(databaseUrl, `drop schema if exists ${schema} cascade`)
  const told: Told = { ...run, databaseUrl, redisUrl, schema, keys: isKilled ? fatalKey + 5 : keys, leaseMs }
  let killedAt = Number.POSITIVE_INFINITY
  const crowd: CrowdProcess[] = []
  const kill = () => {
    const loader = crowd.find(({ loads }) => loads.some(({ key }) => key === `key-${fatalKey}`))
    if (loader === undefined || killedAt < Number.POSITIVE_INFINITY) return
    killedAt = Number(process.hrtime.bigint()) / 1e6
    loader.kill()
  }
  for (let count = 0; count < processes; count += 1)
    crowd.push(await CrowdProcess.open(told, isKilled ? kill : undefined))
  const ended = (await Promise.all(crowd.map((one) => one.stampede()))).filter((one) => one !== undefined)
  for (const one of crowd) await one.close()
  await runSql(databaseUrl, `drop schema if exists ${schema} cascade`)
  if (run.name !== 'pgstash') await removeKeys(redisUrl, schema)
  return {
    loads: crowd.flatMap(({ loads }) => loads),
    wrong: ended.reduce((sum, one) => sum + one.wrong, 0),
    tookMs: Math.max(...ended.map(({ tookMs }) => tookMs)),
    killedAt,
  }
}

async function removeKeys(url: string, prefix: string): Promise<void> {
  const client = await createClient({ url }).connect()
  for (const key of await client.keys(`*${prefix}*`)) await client.del(key)
  client.destroy()
}
