import { resolve } from 'node:path'
import KeyvPostgres from '@keyv/postgres'
import KeyvRedis from '@keyv/redis'
import Keyv from 'keyv'
import pg from 'pg'
import { PgStash } from 'pgstash'
import { KeyvPgStore } from 'pgstash/keyv'
import { runSql } from '../measuring/run-sql'

/** What is compared: the same verbs, over different stores. */
export interface Contestant {
  readonly name: string
  get(key: string): Promise<unknown>
  set(key: string, value: unknown): Promise<unknown>
  getMany(keys: string[]): Promise<unknown>
  setMany(entries: { key: string; value: string }[]): Promise<unknown>
  /** Empties what it used, and closes. */
  close(): Promise<void>
}

export interface Where {
  readonly databaseUrl: string
  readonly redisUrl: string
  readonly isUnlogged: boolean
  /** The folder `dist` of another build of this package, to be measured beside this one. */
  readonly against?: string | undefined
}

const schema = 'pgstash_bench'

/** Ours; the keys are spread over so many tenants. */
export async function ours({ databaseUrl, isUnlogged }: Where, tenants = 1): Promise<Contestant> {
  const own = `${schema}_${isUnlogged ? 'unlogged' : 'logged'}_${tenants}`
  await runSql(databaseUrl, `drop schema if exists ${own} cascade`)
  const stash = new PgStash({ connectionString: databaseUrl, schema: own, unlogged: isUnlogged })
  await stash.ready()
  const keyvs = Array.from({ length: tenants }, (_, at) => new Keyv(new KeyvPgStore(stash, { tenant: `tenant-${at}` })))
  // Each key has its tenant, so that what one call writes another finds.
  const next = (key: string) => keyvs[Number(key.slice(key.indexOf(':') + 1)) % tenants] as Keyv
  const name = tenants === 1 ? 'pgstash' : `pgstash, ${tenants} tenants`
  return throughKeyv(name, next, async () => {
    await stash.close()
    await runSql(databaseUrl, `drop schema ${own} cascade`)
  })
}

/** Another build of ours, one of an earlier commit say; undefined where none is named. */
export async function earlier({ databaseUrl, isUnlogged, against }: Where): Promise<Contestant | undefined> {
  if (against === undefined) return undefined
  const [other, keyvs] = (await Promise.all([
    import(resolve(against, 'index.js')),
    import(resolve(against, 'adapters/keyv.js')),
  ])) as [typeof import('pgstash'), typeof import('pgstash/keyv')]
  const own = `${schema}_earlier_${isUnlogged ? 'unlogged' : 'logged'}`
  await runSql(databaseUrl, `drop schema if exists ${own} cascade`)
  const stash = new other.PgStash({ connectionString: databaseUrl, schema: own, unlogged: isUnlogged })
  await stash.ready()
  const keyv = new Keyv(new keyvs.KeyvPgStore(stash))
  return throughKeyv(
    'pgstash, earlier',
    () => keyv,
    async () => {
      await stash.close()
      await runSql(databaseUrl, `drop schema ${own} cascade`)
    },
  )
}

/** Ours under row-level security, as a role that it holds for. */
export async function oursIsolated({ databaseUrl, isUnlogged }: Where): Promise<Contestant> {
  const own = `${schema}_rls_${isUnlogged ? 'unlogged' : 'logged'}`
  const role = `${own}_app`
  const drop = `drop schema if exists ${own} cascade; drop role if exists ${role}`
  await runSql(databaseUrl, `${drop}; create role ${role} login`)
  const app = new URL(databaseUrl)
  app.username = role
  const stash = new PgStash({
    connectionString: app.href,
    schema: own,
    unlogged: isUnlogged,
    isolation: 'rls',
    maintenance: databaseUrl,
  })
  await stash.migrate()
  await stash.grantTo(role)
  const keyv = new Keyv(new KeyvPgStore(stash))
  return throughKeyv(
    'pgstash, rls',
    () => keyv,
    async () => {
      await stash.close()
      await runSql(databaseUrl, drop)
    },
  )
}

export async function keyvPostgres({ databaseUrl, isUnlogged }: Where): Promise<Contestant> {
  const own = `keyv_bench_${isUnlogged ? 'unlogged' : 'logged'}`
  await runSql(databaseUrl, `drop table if exists ${own}`)
  const store = new KeyvPostgres({ uri: databaseUrl, table: own, useUnloggedTable: isUnlogged })
  const keyv = new Keyv(store)
  await keyv.get('connect')
  return throughKeyv(
    '@keyv/postgres',
    () => keyv,
    async () => {
      await store.disconnect()
      await runSql(databaseUrl, `drop table if exists ${own}`)
    },
  )
}

/** undefined where no Redis answers. */
export async function keyvRedis({ redisUrl }: Where): Promise<Contestant | undefined> {
  const store = new KeyvRedis({ url: redisUrl, socket: { reconnectStrategy: false, connectTimeout: 500 } })
  store.on('error', () => {})
  const keyv = new Keyv({ store, namespace: 'pgstash-bench' })
  keyv.on('error', () => {})
  await store.getClient().catch(() => {})
  if ((await keyv.set('connect', 'yes')) !== true) return undefined
  return throughKeyv(
    '@keyv/redis',
    () => keyv,
    async () => {
      await keyv.clear()
      await keyv.disconnect()
    },
  )
}

/** The floor: one named statement for one row, ten connections, nothing above `pg`. */
export async function rawPg({ databaseUrl, isUnlogged }: Where): Promise<Contestant> {
  const own = `raw_bench_${isUnlogged ? 'unlogged' : 'logged'}`
  await runSql(
    databaseUrl,
    `drop table if exists ${own}; create ${isUnlogged ? 'unlogged' : ''} table ${own} (key text primary key, value text not null) with (fillfactor = 80)`,
  )
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const upsert = `insert into ${own} values ($1, $2) on conflict (key) do update set value = excluded.value`
  const contestant: Contestant = {
    name: 'raw pg',
    get: (key) => pool.query({ name: 'get', text: `select value from ${own} where key = $1`, values: [key] }),
    set: (key, value) => pool.query({ name: 'set', text: upsert, values: [key, value] }),
    getMany: (keys) =>
      pool.query({ name: 'getMany', text: `select key, value from ${own} where key = any ($1)`, values: [keys] }),
    setMany: (entries) =>
      pool.query({
        name: 'setMany',
        text: `insert into ${own} select * from unnest($1::text[], $2::text[]) on conflict (key) do update set value = excluded.value`,
        values: [entries.map(({ key }) => key), entries.map(({ value }) => value)],
      }),
    close: async () => {
      await pool.end()
      await runSql(databaseUrl, `drop table ${own}`)
    },
  }
  return contestant
}

function throughKeyv(name: string, keyvOf: (key: string) => Keyv, close: () => Promise<void>): Contestant {
  return {
    name,
    get: (key) => keyvOf(key).get(key),
    set: (key, value) => keyvOf(key).set(key, value),
    getMany: (keys) => keyvOf(keys[0] as string).getMany(keys),
    setMany: (entries) => keyvOf(entries[0]?.key as string).setMany(entries),
    close,
  }
}
