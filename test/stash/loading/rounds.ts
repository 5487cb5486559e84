import pg from 'pg'
import type { Cache, LoadOptions, PgStash } from '../../../src/index'
import { sleep } from '../../support/sleep'

type Package = typeof import('../../../src/index')

/** A pair of processes that share nothing but the schema, and a tenant of their own. */
interface Lane {
  readonly tenant: string
  readonly loader: PgStash
  readonly changer: PgStash
  readonly pool: pg.Pool
  readonly schema: string
}

interface Place extends Lane {
  readonly key: string
  /** As the changer sees it. */
  readonly cache: Cache
  readonly tagScope: 'namespace' | 'tenant'
}

const key = 'k-1'
const value = (n: number) => ({ n })
const tags = ['of the key']
const added = 'of the loader'
const any = <T>(several: readonly T[]): T => several[Math.floor(Math.random() * several.length)] as T
const soon = () => sleep(any([0, 0, 1, 2, 3, 5]))

const byTag = ({ cache, changer, tenant, tagScope }: Place, tag: string) =>
  (tagScope === 'tenant' ? changer.tenant(tenant) : cache).deleteByTag(tag)

/** Each makes void what was worked out of the key, once it is acknowledged. */
const verbs: Readonly<Record<string, (place: Place, n: number) => Promise<unknown>>> = {
  delete: ({ cache }) => cache.delete(key),
  deleteMany: ({ cache }) => cache.deleteMany([key, 'other']),
  expire: ({ cache }) => cache.expire(key),
  take: ({ cache }) => cache.take(key),
  set: ({ cache, tagScope }, n) => cache.set(key, value(n), { tags: [...tags, added], tagScope }),
  deleteByPrefix: ({ cache }) => cache.deleteByPrefix('k-'),
  deleteByTag: (place) => byTag(place, tags[0] as string),
  'deleteByTag, of a tag that the loader added': (place) => byTag(place, added),
  clear: ({ cache }) => cache.clear(),
  'tenant.clear': ({ changer, tenant }) => changer.tenant(tenant).clear(),
  'delete_by_tag()': async (place) => {
    // Under repeatable read it fails where the tag's row was written meanwhile, by a load too; it is to be tried again.
    while (!(await deletedWithin(place)));
  },
}

async function deletedWithin({ pool, schema, tenant, tagScope }: Place): Promise<boolean> {
  const client = await pool.connect()
  try {
    await client.query(`begin isolation level ${any(['read committed', 'repeatable read'])}`)
    const namespace = tagScope === 'tenant' ? null : 'n'
    await client.query(`select ${schema}.delete_by_tag($1, $2, $3)`, [tenant, namespace, any([...tags, added])])
    await soon()
    await client.query('commit')
    return true
  } catch (error) {
    if ((error as { code?: string }).code !== '40001') throw error
    return false
  } finally {
    client.release()
  }
}

/**
 * Rounds of load, change and store: one process loads, and the other changes what is loaded, and says so, at any moment of that. What is read when both are over must not be from before the change.
 * @returns by the verb that was missed, how often
 */
export async function playRounds(
  { PgStash }: Package,
  { url, schema, count, lanes = 24 }: { url: string; schema: string; count: number; lanes?: number },
): Promise<Record<string, number>> {
  const open = () => new PgStash({ connectionString: url, schema, sweeper: false, timeoutMs: 60_000 })
  const [loader, changer] = [open(), open()]
  await loader.ready()
  const pool = new pg.Pool({ connectionString: url, max: 4 })
  const found: Record<string, number> = {}
  let left = count
  const play = async (at: number) => {
    const lane = { tenant: `t${at}`, loader, changer, pool, schema }
    const tagScope = any(['namespace', 'tenant'] as const)
    const source = { n: 0 }
    while (left > 0) {
      left -= 1
      const verb = any(Object.keys(verbs))
      if (!(await isRight(lane, source, verb, tagScope))) found[verb] = (found[verb] ?? 0) + 1
    }
  }
  await Promise.all(Array.from({ length: lanes }, (_, at) => play(at)))
  await Promise.all([loader.close(), changer.close(), pool.end()])
  return found
}

async function isRight(
  lane: Lane,
  source: { n: number },
  verb: string,
  tagScope: 'namespace' | 'tenant',
): Promise<boolean> {
  const [cache, loading] = [lane.changer, lane.loader].map((stash) => stash.tenant(lane.tenant).namespace('n'))
  const place: Place = { ...lane, key, cache: cache as Cache, tagScope }
  const ask = async (asked: Cache, options: LoadOptions = {}) => {
    await soon()
    return asked.getOrSet(
      key,
      async ({ addTags }) => {
        const { n } = source
        addTags(added)
        await soon()
        return value(n)
      },
      { ttl: any([60_000, null]), tags, tagScope, leaseMs: 2_000, ...options },
    )
  }
  const load = (asked: Cache) => ask(asked, { forceFresh: Math.random() < 0.4 })
  const loads = [load(loading as Cache), ...(Math.random() < 0.3 ? [load(cache as Cache)] : [])]
  await soon()
  await soon()
  source.n += 1
  const n = source.n
  await verbs[verb]?.(place, n)
  if (Math.random() < 0.3) loads.push(load(any([loading, cache]) as Cache))
  await Promise.all(loads)
  const answer = await any([
    () => (cache as Cache).get(key),
    () => (loading as Cache).get(key),
    () => ask(loading as Cache),
  ])()
  return answer === undefined || (answer as { n: number }).n >= n
}
