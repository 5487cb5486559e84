import { basename, resolve } from 'node:path'
import Keyv from 'keyv'
import { runSql } from '../../measuring/run-sql'
import type { Places, Stack } from './stack'

/** All on one stash, everything as it comes. */
export async function ownStores({ databaseUrl, dist }: Places): Promise<Stack> {
  const { PgStash, KeyvPgStore, PgRateLimitStore, PgSessionStore } = await build(dist)
  const schema = `pgstash_bench_app${dist === undefined ? '' : '_earlier'}`
  const drop = `drop schema if exists ${schema} cascade`
  await runSql(databaseUrl, drop)
  const stash = new PgStash({ connectionString: databaseUrl, schema })
  await stash.ready()
  return {
    limits: new PgRateLimitStore({ stash }),
    sessions: new PgSessionStore({ stash }),
    cache: new Keyv({ store: new KeyvPgStore(stash), namespace: 'pages', throwOnErrors: true }),
    statements: () => stash.metrics().operations.reduce((sum, { statements }) => sum + statements, 0),
    close: async () => {
      await stash.close()
      await runSql(databaseUrl, drop)
    },
  }
}

/** Of this package as it is installed, or by its folder. */
async function build(dist: string | undefined) {
  const load = (name: string) =>
    import(dist === undefined ? `pgstash/${name}` : resolve(dist, 'adapters', `${basename(name)}.js`))
  return {
    ...((await (dist === undefined
      ? import('pgstash')
      : import(resolve(dist, 'index.js')))) as typeof import('pgstash')),
    ...((await load('keyv')) as typeof import('pgstash/keyv')),
    ...((await load('express-session')) as typeof import('pgstash/express-session')),
    ...((await load('express-rate-limit')) as typeof import('pgstash/express-rate-limit')),
  }
}
