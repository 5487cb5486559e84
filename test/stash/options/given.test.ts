import type { PGlite } from '@electric-sql/pglite'
import Keyv from 'keyv'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest'
import { pgStore, pgStore4 } from '../../../src/adapters/cache-manager/store'
import { PgRateLimitStore } from '../../../src/adapters/express-rate-limit'
import { fastifyRateLimitStore } from '../../../src/adapters/fastify-rate-limit'
import { createKeyv, KeyvPgStore } from '../../../src/adapters/keyv/store'
import { PgThrottlerStorage } from '../../../src/adapters/nestjs-throttler'
import { PgSessionStore } from '../../../src/adapters/sessions/express'
import { InvalidArgumentError } from '../../../src/errors'
import { LoginLimiter } from '../../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import { resolveOptions } from '../../../src/stash/options/resolved'
import type { PgStashOptions } from '../../../src/stash/options/told'
import { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { freshSchema } from '../../support/bodies'
import { openPGlite } from '../../support/servers/pglite'

const plain = { host: 'db.example', port: 5433, user: 'ada', database: 'd', password: 'secret', max: 3, schema: 's' }

/** Nothing of it is its own and enumerable. */
class Settings {
  get host() {
    return plain.host
  }
  get port() {
    return plain.port
  }
  get user() {
    return plain.user
  }
  get database() {
    return plain.database
  }
  get password() {
    return plain.password
  }
  get max() {
    return plain.max
  }
  get schema() {
    return plain.schema
  }
}

const hidden = <T extends object>(values: T): T =>
  Object.defineProperties(
    {},
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { value, enumerable: false }])),
  ) as T

const shapes: [name: string, options: () => PgStashOptions][] = [
  ['plain', () => plain],
  ['a class with getters', () => new Settings()],
  ['a subclass', () => new (class extends Settings {})()],
  ['Object.create(defaults)', () => Object.create(plain)],
  ['not enumerable', () => hidden(plain)],
  ['frozen', () => Object.freeze({ ...plain })],
  ['a proxy', () => new Proxy({} as PgStashOptions, { get: (_, name) => plain[name as keyof typeof plain] })],
  ['a null prototype', () => Object.assign(Object.create(null), plain)],
  [
    'with much that is undefined',
    () => ({ ...plain, ssl: undefined, migrate: undefined, Promise: undefined }) as PgStashOptions,
  ],
]

describe('options are read by name', () => {
  it.each(shapes)('%s: of the stash, and of its maintenance', (_name, options) => {
    const { schema, ...address } = plain
    const expected = { schema, poolOptions: { ...address, application_name: 'pgstash' } }
    expect(resolveOptions(options())).toMatchObject(expected)
    const { maintenance } = resolveOptions({ maintenance: options() })
    expect(maintenance?.poolOptions).toEqual(expected.poolOptions)
    expect(resolveOptions({ maintenance: hidden({ host: 'h', max: undefined }) }).maintenance?.poolOptions.max).toBe(2)
  })

  it.each(['key', 'ca', 'pfx', 'passphrase', 'servername', 'rejectUnauthorized'])('of TLS too: %s', (name) => {
    const given: object[] = [
      { [name]: 'x' },
      hidden({ [name]: 'x' }),
      Object.create({ [name]: 'x' }),
      Object.freeze({ [name]: 'x' }),
    ]
    for (const ssl of given) {
      const { poolOptions } = resolveOptions({ host: 'h', ssl })
      expect((poolOptions.ssl as Record<string, unknown>)[name]).toBe('x')
      expect(() => new pg.Pool(poolOptions as pg.PoolConfig)).not.toThrow()
    }
  })

  it('also by each store: its own, and those of its connection', async () => {
    const given = hidden({
      host: '127.0.0.1',
      port: 1,
      password: 'x',
      prefix: 'api',
      name: 'api',
      limit: 5,
      windowMs: 1_000,
      tenant: '',
    })
    const makers = [
      () => new KeyvPgStore(given as never),
      () => createKeyv(Keyv as never, given as never),
      () => pgStore(given as never),
      () => pgStore4.create(given as never),
      () => new Sessions(given as never),
      () => new PgSessionStore(given as never),
      () => new PgRateLimitStore(given as never),
      () => fastifyRateLimitStore(given as never),
      () => new PgThrottlerStorage(given as never),
      () => new RateLimiter(given as never),
      () => new LoginLimiter(given as never),
    ]
    // The empty tenant is the one that will not do: where it is not seen, the store would be made.
    for (const make of makers) expect(make, String(make)).toThrow(expect.objectContaining({ field: 'tenant' }))
  })
})

describe('TLS', () => {
  it.each([
    ['sslmode=disable', { rejectUnauthorized: true }],
    ['sslmode=require', { ca: 'ca' }],
    ['sslmode=no-verify', true],
    ['ssl=true', false],
    ['application_name=a&sslrootcert=/ca.pem', { ca: 'ca' }],
  ])('said by the address (%s) and by an option is refused: pg would not look at the option', (parameter, ssl) => {
    const connectionString = `postgres://u@h/d?${parameter}`
    const refused = expect.objectContaining({ code: 'ERR_PGSTASH_INVALID_ARGUMENT', field: 'ssl' })
    expect(() => resolveOptions({ connectionString, ssl })).toThrow(refused)
    expect(() => resolveOptions({ maintenance: { connectionString, ssl } })).toThrow(refused)
    expect(resolveOptions({ connectionString }).poolOptions).toMatchObject({ connectionString })
  })

  it('said by DATABASE_URL is no other', () => {
    vi.stubEnv('DATABASE_URL', 'postgres://u@h/d?sslmode=require')
    expect(() => resolveOptions({ ssl: { ca: 'ca' } })).toThrow(/ssl stands beside an address that says sslmode/)
    expect(resolveOptions({ host: 'other', ssl: true }).poolOptions.ssl).toBe(true)
    vi.unstubAllEnvs()
  })
})

describe('the options of a pool', () => {
  const role = `${freshSchema()}_owner`
  let server: pg.Pool

  beforeAll(async () => {
    server = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    await server.query(`create role ${role} login superuser password 'secret'`)
  })

  afterAll(async () => {
    await server.query(`drop role ${role}`)
    await server.end()
  })

  it('make a stash as they are, typed as `pg` types them, with the password that `pg` hides', async () => {
    const { hostname, port, pathname } = new URL(inject('postgresUrl'))
    const config: pg.PoolConfig = {
      host: hostname,
      port: Number(port),
      database: pathname.slice(1),
      user: role,
      password: () => 'secret',
      idleTimeoutMillis: null,
      Promise: globalThis.Promise,
      log: () => {},
    }
    const pool = new pg.Pool(config)
    expect(Object.keys(pool.options)).not.toContain('password')
    const schema = freshSchema()
    for (const options of [config, pool.options] satisfies PgStashOptions[]) {
      const stash = new PgStash(options)
      expect(await stash.checkSchema()).toBeDefined()
      await stash.close()
    }
    const owned = new PgStash({ connectionString: inject('postgresUrl'), schema, maintenance: pool.options })
    expect(await owned.migrate()).not.toEqual([])
    await owned.close()
    await server.query(`drop schema ${schema} cascade`)
    await pool.end()
    expect(resolveOptions(pool.options).poolOptions.password).toBeTypeOf('function')
    expect(resolveOptions(new pg.Pool({ ...config, password: 'x' }).options).poolOptions.password).toBe('x')
  })
})

describe('what stands in the place of options', () => {
  const pool = new pg.Pool({ host: 'h' })
  const stash = new PgStash({ pool })
  const client = new pg.Client({ host: 'h' })
  let pglite: PGlite

  beforeAll(async () => {
    pglite = await openPGlite()
  })

  afterAll(() => pglite.close())

  const given = (): [string, unknown, RegExp][] => [
    ['a stash', stash, /are a PgStash. Pass \{ stash \}/],
    ['a pool', pool, /are a pg.Pool. Pass \{ pool \}/],
    ['a client', client, /are a pg.Client. Pass \{ pool: new pg.Pool/],
    ['a PGlite', pglite, /are a PGlite. Pass \{ pglite \}/],
    ['a promise of a PGlite', Promise.resolve(pglite), /are a promise. Await it/],
    ['a URL', new URL('postgres://h/d'), /are a URL. Pass its text: url.href/],
    ['a Keyv', new Keyv(), /are a cache, a store or a map/],
    ['a store', new KeyvPgStore(stash), /are a cache, a store or a map/],
    ['a Map', new Map(), /are a cache, a store or a map/],
    ['a list', [], /must be a connection string or an object/],
    ['null', null, /must be a connection string or an object/],
    ['a number', 5, /must be a connection string or an object/],
  ]

  it('is told by what it is, and what to write, by the stash, its maintenance, and each store', () => {
    for (const [name, options, told] of given()) {
      const takers: [(options: never) => unknown, boolean][] = [
        [(one) => new PgStash(one), true],
        [(one) => new PgStash({ maintenance: one }), true],
        [(one) => new KeyvPgStore(one), options !== stash],
        [(one) => createKeyv(Keyv as never, one), true],
        [(one) => pgStore(one), true],
        [(one) => pgStore4.create(one), true],
        [(one) => new Sessions(one), true],
        [(one) => new PgSessionStore(one), true],
        [(one) => new PgRateLimitStore(one), true],
        [(one) => fastifyRateLimitStore(one), true],
        [(one) => new PgThrottlerStorage(one), true],
        [(one) => new RateLimiter(one), true],
        [(one) => new LoginLimiter(one), true],
      ]
      for (const [take, isRefused] of takers) {
        if (!isRefused) continue
        const call = () => take(options as never)
        expect(call, `${name}: ${take}`).toThrow(InvalidArgumentError)
        expect(call, `${name}: ${take}`).toThrow(told)
      }
    }
  })

  it('is told of createKeyv too, where the class is missing', () => {
    for (const options of [{ stash }, stash, 'postgres://h/d', undefined])
      expect(() => createKeyv(options as never)).toThrow(/Keyv must be the class of Keyv. Call createKeyv\(Keyv/)
  })
})
