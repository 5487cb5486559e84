import { type Cache, PgStash } from 'pgstash'
import { load, type OwnStash, withOwnStash } from '../contestants/own-stash'
import { median, type Spread } from '../measuring/measure'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import type { Verdict } from '../measuring/verdict'

const tagCounts = [1, 3, 16, 128] as const
const keys = 1_000

/** What a deletion by a tag costs that a million entries have, and what a read costs of an entry that has some. */
export async function tags(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'tags', false, async (own) => [
    ...(await readsOfTagged(own, settings)),
    ...(await deletion(own, settings)),
  ])
}

async function deletion({ stash, client, schema }: OwnStash, settings: Settings): Promise<Verdict[]> {
  const entries = settings.isQuick ? 100_000 : 1_000_000
  const crowded = stash.namespace('crowded')
  await crowded.set('first', 'x'.repeat(100), { tags: ['all'] })
  // As they are stored by set, in one statement.
  await client.query(
    `insert into ${schema}.entry (tenant, namespace, key, generation, version, format, value, expires_at, written_at, tags)
    select tenant, namespace, 'key:' || i, generation, version + i, format, value, expires_at, written_at, tags
    from ${schema}.entry, generate_series(1, ${entries - 1}) i where namespace = 'crowded'`,
  )
  if ((await crowded.get(`key:${entries - 1}`)) === undefined) throw new Error('the entries are not there')
  const times: number[] = []
  for (let turn = 0; turn < 25; turn += 1) {
    const started = performance.now()
    // What was deleted still lies in the table: the second time is as much work as the first.
    await crowded.deleteByTag('all')
    times.push(performance.now() - started)
  }
  if ((await crowded.get(`key:${entries - 1}`)) !== undefined) throw new Error('an entry is still there')
  const what = `deleteByTag of ${entries} entries`
  return [
    { what: `${what}, ms`, reached: median(times), bound: 2, is: 'at most' },
    { what: `${what}, rows written`, reached: await rowsOfOne({ client, schema }), bound: 1, is: 'at most' },
  ]
}

/** Counted by the server, in the transaction that writes them. */
async function rowsOfOne({ client, schema }: Pick<OwnStash, 'client' | 'schema'>): Promise<number> {
  await client.query('begin')
  await client.query(`select ${schema}.bump_tags(array['default'], array['crowded'], array['all'], null)`)
  const { rows } = await client.query<{ written: string }>(
    'select sum(n_tup_ins + n_tup_upd + n_tup_del) as written from pg_stat_xact_user_tables where schemaname = $1',
    [schema],
  )
  await client.query('commit')
  return Number(rows[0]?.written)
}

async function readsOfTagged({ stash, client, schema }: OwnStash, settings: Settings): Promise<Verdict[]> {
  // It never meets a tag.
  const other = new PgStash({ connectionString: settings.databaseUrl, schema, sweeper: false })
  const value = 'x'.repeat(100)
  const caches: Record<string, Cache> = {
    untagged: other.namespace('untagged'),
    'untagged, beside tags': stash.namespace('untagged'),
    ...Object.fromEntries(tagCounts.map((count) => [nameOf(count), stash.namespace(nameOf(count))])),
  }
  await load(stash.namespace('untagged'), keys, value)
  for (const count of tagCounts) {
    const names = Array.from({ length: count }, (_, at) => `tag ${at}`)
    const entries = Array.from({ length: keys }, (_, at) => ({ key: `key:${at}`, value, tags: names }))
    while (entries.length > 0) await caches[nameOf(count)]?.setMany(entries.splice(0, 250))
  }
  await client.query(`vacuum analyze ${schema}.entry, ${schema}.tag`)
  const key = () => `key:${Math.floor(Math.random() * keys)}`
  const operations = Object.fromEntries(
    Object.entries(caches).map(([name, cache]) => [name, () => cache.get(key())]),
  ) as Record<string, () => Promise<unknown>>
  const figureOf = await takeTurns(operations, 1, settings)
  await other.close()
  const plain = figureOf('untagged')
  for (const name of Object.keys(operations)) console.log(`get, 1 caller, ${name}: ${told(figureOf(name))}`)
  const more = (name: string, field: 'serverUs' | 'p50Ms') => figureOf(name)[field] - plain[field]
  return [
    {
      what: 'get beside tagged namespaces, server CPU over get',
      reached: figureOf('untagged, beside tags').serverUs / plain.serverUs,
      bound: 1.02,
      is: 'at most',
    },
    ...tagCounts.flatMap((count): Verdict[] => [
      {
        what: `get, ${nameOf(count)}: server CPU more in us`,
        reached: more(nameOf(count), 'serverUs'),
        bound: 20,
        is: count === 3 ? 'at most' : null,
      },
      {
        what: `get, ${nameOf(count)}: p50 more in us`,
        reached: more(nameOf(count), 'p50Ms') * 1_000,
        bound: 0,
        is: null,
      },
    ]),
  ]
}

function nameOf(tagCount: number): string {
  return `${tagCount} tag${tagCount === 1 ? '' : 's'}`
}

function told({ serverUs, p50Ms, p99Ms, least, most }: Spread): string {
  const us = [serverUs, least.serverUs, most.serverUs].map((one) => one.toFixed(1))
  return `server ${us[0]} us (${us[1]}-${us[2]}), p50 ${p50Ms.toFixed(3)} ms, p99 ${p99Ms.toFixed(3)} ms`
}
