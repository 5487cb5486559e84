import Keyv from 'keyv'
import { PgStash } from 'pgstash'
import { KeyvPgStore } from 'pgstash/keyv'
import type { Settings } from '../measuring/settings'
import type { NearCache } from './memory-tiers'
import { withOwnStash } from './own-stash'

/** More than a run has: nobody evicts. */
const mostEntries = 100_000

/** On one schema of unlogged tables. */
export interface NearStashes {
  readonly plain: PgStash
  readonly near: PgStash
  /** Its tier holds one entry: nearly every read misses it, and fills it. */
  readonly narrow: PgStash
}

/** Opens them, runs `work`, and leaves nothing behind. */
export function withNearStashes<T>(settings: Settings, work: (stashes: NearStashes) => Promise<T>): Promise<T> {
  return withOwnStash(settings, 'near', true, async ({ stash: plain, schema }) => {
    const options = { connectionString: settings.databaseUrl, schema, unlogged: true, sweeper: false } as const
    const near = new PgStash({ ...options, near: { maxEntries: mostEntries } })
    const narrow = new PgStash({ ...options, near: { maxEntries: 1 } })
    try {
      return await work({ near, narrow, plain })
    } finally {
      await near.close()
      await narrow.close()
    }
  })
}

/** With a tier in memory, by how values are answered, and without; and through Keyv 5. */
export function ownCaches({ near, plain }: NearStashes): NearCache[] {
  const keyv = new Keyv({ store: new KeyvPgStore({ stash: plain, namespace: 'keyv' }), throwOnErrors: true })
  const nearStore = new KeyvPgStore({ stash: near, namespace: 'keyv near', near: true })
  return [
    { name: 'pgstash, near, Keyv', isNear: true, ...throughKeyv(new Keyv({ store: nearStore, throwOnErrors: true })) },
    { name: 'pgstash, near, copy', isNear: true, ...native(near.namespace('copy', { near: true })) },
    {
      name: 'pgstash, near, frozen',
      isNear: true,
      ...native(near.namespace('frozen', { near: { values: 'frozen' } })),
    },
    { name: 'pgstash, native', ...native(plain.namespace('plain')) },
    { name: 'pgstash', ...throughKeyv(keyv) },
  ]
}

/** Reads that a tier in memory does not answer, beside those of a namespace that has none. */
export function passing({ near, narrow, plain }: NearStashes): NearCache[] {
  const fresh = near.namespace('fresh', { near: true })
  return [
    { name: 'pgstash, near, copy', ...native(fresh), get: (key) => fresh.get(key, { fresh: true }) },
    { name: 'pgstash, near, missing', ...native(narrow.namespace('missing', { near: true })) },
    { name: 'pgstash, native', ...native(plain.namespace('passing')) },
  ]
}

type Verbs = Omit<NearCache, 'name'>

/** The stashes are closed by whoever opened them. */
const close = async () => {}

function throughKeyv(keyv: Keyv): Verbs {
  return { get: (key) => keyv.get(key), set: (key, value) => keyv.set(key, value), close }
}

function native(cache: ReturnType<PgStash['namespace']>): Verbs {
  return { get: (key) => cache.get(key), set: (key, value) => cache.set(key, value), close }
}
