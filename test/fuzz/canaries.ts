import { expect } from 'vitest'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { Sessions } from '../../src/stash/sessions/store'
import type { World } from './world'

/** The namespaces that the stores call their own, and those that the calls aim at. */
const homes = ['fuzz', 'canary', 'keyv', 'cache', 'session', 'k']
const tenants = ['default', 'canary', 'k']
const limiters = ['fuzz', 'rl', 'rate-limit', 'throttler', 'fastify-rate-limit', 'login/username']
const names = ['canary', 'canary-%', 'canary-__proto__']

/** What no call may change: entries, sessions and counters of other keys, namespaces and tenants. */
export class Canaries {
  readonly #world: World
  #before: unknown
  #answers: unknown

  constructor(world: World) {
    this.#world = world
  }

  async plant(): Promise<void> {
    const { stash } = this.#world
    for (const tenant of tenants) {
      for (const home of homes) {
        const cache = stash.tenant(tenant).namespace(home)
        await cache.setMany(names.map((key, at) => ({ key, value: { at, tenant, home }, ttl: 3_600_000 })))
        const sessions = new Sessions({ stash, tenant, namespace: home, userId: ({ user }) => user as string })
        await Promise.all(names.map((id) => sessions.set(id, { cookie: {}, user: `canary-of-${home}` })))
      }
      for (const name of limiters) {
        const limiter = new RateLimiter({ stash, tenant, name, limit: 5, windowMs: 3_600_000 })
        await Promise.all(names.map((key) => limiter.consume(key, { cost: 2 })))
        await new RateLimiter({ stash, tenant, name, limit: 5, windowMs: 60_000 }).consume('canary')
      }
    }
    this.#before = await this.#rows()
    this.#answers = await this.#answered()
  }

  async check(): Promise<void> {
    expect(await this.#rows()).toEqual(this.#before)
    expect(await this.#answered()).toEqual(this.#answers)
  }

  /** Every column of every row, and the generations that decide what of it shows. */
  #rows(): Promise<unknown[][]> {
    const { schema } = this.#world.stash
    const of = (table: string, name: string) =>
      `select '${table}', t::text as row from ${schema}.${table} t where t.${name} in (${quoted(names)})`
    return this.#world.body.sql(
      `${of('entry', 'key')} union all ${of('session', 'id')} union all ${of('counter', 'key')} union all
       select 'namespace', t::text from ${schema}.namespace t
       where t.tenant in (${quoted(tenants)}) and t.namespace in ('', ${quoted(homes)}) order by 1, 2`,
    )
  }

  #answered(): Promise<unknown[]> {
    const { stash } = this.#world
    return Promise.all(
      tenants.flatMap((tenant) => homes.map((home) => stash.tenant(tenant).namespace(home).getMany(names))),
    )
  }
}

function quoted(texts: readonly string[]): string {
  return texts.map((text) => `'${text}'`).join(', ')
}
