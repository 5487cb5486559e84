import { describe, expect, it, vi } from 'vitest'
import { pgStore } from '../../../src/adapters/cache-manager/store'
import { fastifyRateLimitStore } from '../../../src/adapters/fastify-rate-limit'
import { KeyvPgStore } from '../../../src/adapters/keyv/store'
import { PgSessionStore } from '../../../src/adapters/sessions/fastify'
import { PgStashError } from '../../../src/errors'
import { ConnectSessionTable } from '../../../src/postgres/sessions/connect-table'
import type { Cache } from '../../../src/stash/entries/cache'
import { LoginLimiter } from '../../../src/stash/limits/login-limiter'
import { PgStash } from '../../../src/stash/pg-stash'
import { decodeSession } from '../../../src/stash/sessions/codec'
import { Sessions } from '../../../src/stash/sessions/store'

/** Nothing here reaches a database: the address leads nowhere, so that every answer is given before SQL. */
const nowhere = 'postgres://nobody@127.0.0.1:1/none'

/** Bad arguments go to JavaScript callers too. */
const anything = (value: unknown) => value as never

const keyProblems: [name: string, key: unknown][] = [
  ['NUL', 'a\0b'],
  ['half a surrogate pair', 'a\ud800'],
  ['undefined', undefined],
  ['null', null],
  ['a number', 5],
  ['an object', {}],
  ['a symbol', Symbol('k')],
]

const cyclic: Record<string, unknown> = {}
cyclic.self = cyclic

const detached = new Uint8Array(3)
structuredClone(detached, { transfer: [detached.buffer] })

const valueProblems: [name: string, value: unknown][] = [
  ['a BigInt', 1n],
  ['a BigInt inside', { n: 1n }],
  ['a cycle', cyclic],
  ['undefined', undefined],
  ['a function', () => 1],
  ['a symbol', Symbol('v')],
  ['NaN', Number.NaN],
  ['an infinity', Number.NEGATIVE_INFINITY],
  ['bytes given to another thread', detached],
  ['a value over the limit', 'x'.repeat(2_000)],
]

const ttlProblems: [name: string, ttl: unknown][] = [
  ['NaN', Number.NaN],
  ['zero', 0],
  ['negative', -1],
  ['a string', '5'],
  ['an object', {}],
  ['a date', new Date()],
]

describe('bad input is told before SQL, naming the field', () => {
  const stash = new PgStash({ connectionString: nowhere, maxValueBytes: 1_000 })
  const cache = stash.namespace('a')

  const refusal = async (call: () => Promise<unknown>, field: string) => {
    const error = await call().catch((error: unknown) => error)
    expect(error).toBeInstanceOf(PgStashError)
    expect(error).toMatchObject({
      field,
      code: expect.stringMatching(/^ERR_PGSTASH_(INVALID_ARGUMENT|UNSERIALISABLE_VALUE|VALUE_TOO_LARGE)$/),
    })
    // The next step: a sentence after the problem.
    expect((error as Error).message).toMatch(/\. [A-Z].*\.$/s)
  }

  describe.each(keyProblems)('a key: %s', (_, bad) => {
    const key = anything(bad)
    const verbs: [string, (cache: Cache) => Promise<unknown>][] = [
      ['get', (c) => c.get(key)],
      ['getMany', (c) => c.getMany(['good', key])],
      ['getEntry', (c) => c.getEntry(key)],
      ['has', (c) => c.has(key)],
      ['hasMany', (c) => c.hasMany([key])],
      ['ttl', (c) => c.ttl(key)],
      ['set', (c) => c.set(key, 1)],
      [
        'setMany',
        (c) =>
          c.setMany([
            { key: 'good', value: 1 },
            { key, value: 1 },
          ]),
      ],
      ['add', (c) => c.add(key, 1)],
      ['compareAndSet', (c) => c.compareAndSet(key, 1, 1)],
      ['increment', (c) => c.increment(key)],
      ['touch', (c) => c.touch(key, 1)],
      ['delete', (c) => c.delete(key)],
      ['deleteMany', (c) => c.deleteMany([key])],
      ['take', (c) => c.take(key)],
    ]
    it.each(verbs)('%s', (_name, call) => refusal(() => call(cache), 'key'))
  })

  it.each(valueProblems)('a value: %s', async (_, value) => {
    await refusal(() => cache.set('k', value), 'value')
    await refusal(() => cache.setMany([{ key: 'k', value }]), 'value')
    await refusal(() => cache.add('k', value), 'value')
    await refusal(() => cache.compareAndSet('k', 1, value), 'value')
  })

  it.each(ttlProblems)('a ttl: %s', async (_, bad) => {
    const ttl = anything(bad)
    await refusal(() => cache.set('k', 1, { ttl }), 'ttl')
    await refusal(() => cache.setMany([{ key: 'k', value: 1, ttl }]), 'ttl')
    await refusal(() => cache.add('k', 1, { ttl }), 'ttl')
    await refusal(() => cache.increment('k', 1, { ttl }), 'ttl')
    await refusal(() => cache.touch('k', ttl), 'ttl')
    await refusal(async () => stash.namespace('b', { ttl }), 'ttl')
  })

  it('the rest', async () => {
    await refusal(() => cache.increment('k', 1.5), 'by')
    await refusal(() => cache.set('k', 1, anything(5_000)), 'options')
    await refusal(() => cache.deleteByPrefix('\ud83d'), 'prefix')
    await refusal(() => cache.set('k', new Map([[1, 2]])), 'value')
    await refusal(() => cache.compareAndSet('k', anything('1'), 1), 'version')
    await refusal(() => cache.compareAndSet('k', 0, 1), 'version')
    await refusal(() => cache.getMany(anything('k')), 'keys')
    await refusal(() => cache.setMany(anything({ k: 1 })), 'entries')
    await refusal(() => cache.setMany([anything(null)]), 'entries')
    await refusal(() => cache.deleteByPrefix(''), 'prefix')
    await refusal(() => cache.deleteByPrefix('a\0'), 'prefix')
    await refusal(async () => cache.keys({ match: anything(5) }), 'match')
    await refusal(async () => cache.keys({ prefix: anything(5) }), 'prefix')
  })

  it.each([[''], ['a\0'], [null], [undefined], [{}], [Number.NaN], ['x'.repeat(300)], ['\udc00']])(
    'a tenant: %j',
    async (tenant) => {
      await refusal(async () => stash.tenant(anything(tenant)), 'tenant')
    },
  )

  it.each([[''], ['a\0'], [null], [5], ['x'.repeat(600)], ['views@v2']])('a namespace: %j', async (name) => {
    await refusal(async () => stash.namespace(anything(name)), 'namespace')
  })

  it.each([[0], [-1], [1.5], ['2']])('a version of a namespace: %j', async (version) => {
    await refusal(async () => stash.namespace('a', { version: anything(version) }), 'version')
  })

  it.each([
    ['options', null],
    ['connectionString', 'mysql://host/db'],
    ['connectionString', { connectionString: '' }],
    ['connectionString', { connectionString: 5 }],
    ['schema', { schema: 'with"quote' }],
    ['schema', { schema: 'pg_mine' }],
    ['schema', { schema: '' }],
    ['timeoutMs', { timeoutMs: 0 }],
    ['timeoutMs', { timeoutMs: 3e9 }],
    ['breaker', { breaker: true }],
    ['maxValueBytes', { maxValueBytes: '5' }],
    ['batch.maxRows', { batch: { maxRows: -1 } }],
    ['breaker.failures', { breaker: { failures: 0 } }],
    ['onError', { onError: 'ignore' }],
    ['unlogged', { unlogged: 'yes' }],
    ['pool', { pool: {} }],
    ['pglite', { pglite: {} }],
    ['pool and pglite', { pool: { query() {}, connect() {} }, pglite: {} }],
  ])('an option: %s', async (field, options) => {
    await refusal(async () => new PgStash(anything(options)), field)
  })

  it('of the stores', async () => {
    await refusal(async () => new KeyvPgStore({ stash: anything({}) }), 'stash')
    await refusal(async () => new KeyvPgStore(stash, { contract: anything('keyv4') }), 'contract')
    await refusal(async () => new KeyvPgStore(stash, { tenant: '' }), 'tenant')
    for (const namespace of ['a\0', 5, Promise.resolve('k'), () => 'k', {}]) {
      await refusal(async () => new KeyvPgStore(stash, { namespace: anything(namespace) }), 'namespace')
      await refusal(async () => new KeyvPgStore(stash).view(anything(namespace)), 'namespace')
    }
    await refusal(async () => pgStore({ stash, ttl: -1 }), 'ttl')
    await refusal(() => new KeyvPgStore(stash).get(anything(5)), 'key')
    await refusal(() => new KeyvPgStore(stash).set('k', 1, Number.NaN), 'ttl')
    await refusal(() => pgStore({ stash }).set('k', 1, -5), 'ttl')
  })

  it('misspelt options, wherever a value would live for ever, or with somebody else', async () => {
    const misspelt = anything({ tll: 5 })
    const logins = new LoginLimiter({ stash })
    for (const call of [
      () => cache.set('k', 1, misspelt),
      () => cache.set('k', 1, anything({ ifVersion: 1, tll: 5 })),
      () => cache.add('k', 1, misspelt),
      () => cache.increment('k', 1, misspelt),
      () => cache.compareAndSet('k', 1, 1, misspelt),
      async () => cache.keys(anything({ prefx: 'k' })),
      async () => stash.namespace('n', misspelt),
      async () => new KeyvPgStore(stash, anything({ tennant: 'acme' })),
      async () => new KeyvPgStore(nowhere, anything({ schema: 'elsewhere' })),
      async () => new PgStash(anything({ shema: 'x' })),
    ])
      await refusal(call, 'options')
    await refusal(() => cache.setMany([anything({ key: 'k', value: 1, tll: 5 })]), 'entries')
    await refusal(() => logins.begin(anything({ username: 'ada', IP: '10.0.0.1' })), 'caller')
    await refusal(async () => new LoginLimiter({ stash, limits: { ip: anything('5') } }), 'limits.ip')
    await refusal(
      () => new Sessions({ stash, userId: () => 'u' }).destroyByUser('u', { except: anything(undefined) }),
      'except',
    )
  })

  it('lists with holes, and then closes at once', async () => {
    const own = new PgStash(nowhere)
    const holed = anything(new Array(2))
    const holedCache = own.namespace('a')
    await refusal(() => holedCache.getMany(holed), 'keys')
    await refusal(() => holedCache.hasMany(holed), 'keys')
    await refusal(() => holedCache.deleteMany(holed), 'keys')
    await refusal(() => holedCache.setMany(holed), 'entries')
    await refusal(() => new KeyvPgStore(own).setMany(holed), 'entries')
    expect(own.metrics().callsUnderWay).toBe(0)
    const startedAt = performance.now()
    await own.close()
    expect(performance.now() - startedAt).toBeLessThan(1_000)
  })

  it.each([[undefined], [null], [''], [{}], [Symbol('role')], [Object.create(null)], ['a\0b']])(
    'a role: %j',
    async (role) => {
      await refusal(() => stash.grantTo(anything(role)), 'appRole')
    },
  )

  it.each([
    ['port', { port: 70_000 }],
    ['port', { port: -1 }],
    ['port', { port: 'x' }],
    ['port', { port: {} }],
    ['host', { host: /k/ }],
    ['user', { user: 5 }],
    ['database', { database: Symbol('d') }],
    ['password', { password: {} }],
    ['connectionString', { connectionString: 'postgres://%' }],
    ['connectionString', { connectionString: 'postgresql://[::1/x' }],
    ['connectionString', { connectionString: 'postgres://h:99999/x' }],
    ['connectionString', { connectionString: 'postgres://h/x?port=99999' }],
  ])('where no server can be: %s of %j', async (field, options) => {
    await refusal(async () => new PgStash(anything(options)), field)
  })

  it('and says so of a port, which is no secret', () => {
    for (const port of ['h:99999/x', 'h:99999', 'h:99999?sslmode=no', 'h/x?port=99999&sslmode=no', 'u:p@h:65536/x'])
      expect(() => new PgStash({ connectionString: `postgres://${port}` }), port).toThrow('They go up to 65535.')
    for (const other of ['[::1/x', '%', 'u:99999@[h/x', 'u:99999/secret@h/x'])
      expect(() => new PgStash({ connectionString: `postgres://${other}` }), other).toThrow('is no PostgreSQL address')
  })

  it.each([
    [{ port: '5433' }],
    [{ host: '/var/run/postgresql', port: 5432 }],
    [{ host: undefined, port: undefined }],
    [{ password: () => 'secret', host: 'localhost' }],
    [{ connectionString: 'socket:/var/run/postgresql?db=x' }],
    [{ connectionString: 'postgres://%2Fvar%2Frun/x' }],
    [{ connectionString: 'postgres://user:p%40ss@/x?host=/var/run' }],
    [{ connectionString: 'postgres://user:a b%@localhost/x' }],
  ])('but anywhere else: %j', async (options) => {
    await new PgStash(anything(options)).close()
  })

  it('PGPORT, where nothing else names the port', async () => {
    const address = 'postgres://nobody@nowhere.invalid/x'
    try {
      for (const port of ['abc', '0', '70000', 'tcp://10.0.0.1:5432']) {
        vi.stubEnv('PGPORT', port)
        await refusal(async () => new PgStash({ host: 'nowhere.invalid' }), 'PGPORT')
        await refusal(async () => new PgStash(address), 'PGPORT')
        await refusal(async () => new PgStash(`${address}?port=`), 'PGPORT')
        await refusal(async () => new PgStash({ connectionString: address, port: 5432 }), 'PGPORT')
        await new PgStash({ host: 'nowhere.invalid', port: 5432 }).close()
        await new PgStash(address.replace('/x', ':5432/x')).close()
        await new PgStash(`${address}?port=5432`).close()
      }
      // As `pg` reads it.
      vi.stubEnv('PGPORT', '5433/tcp')
      await new PgStash(address).close()
    } finally {
      vi.unstubAllEnvs()
    }
  })

  it('a session that is no object in JSON', async () => {
    const sessions = new Sessions({ stash })
    for (const answer of [null, 'text', 5, []])
      await refusal(() => sessions.set('n', anything({ cookie: {}, toJSON: () => answer })), 'session')
    await refusal(() => sessions.set('n', anything({ cookie: 'x' })), 'session.cookie')
    await refusal(() => sessions.touch('n', anything({ cookie: new Date(Number.NaN) })), 'session.cookie')
    await refusal(() => sessions.set('n', { cookie: { n: 1n } }), 'value')
    await refusal(() => sessions.set('n', { cookie: { expires: anything(1n) } }), 'value')
  })

  it('a row that holds no session is none, and breaks no list', () => {
    const row = { id: 'k', leftMs: 1_000, version: 1 }
    for (const data of ['null', '5', '[]', 'no JSON'])
      expect(decodeSession({ ...row, data, cookie: null })).toBeUndefined()
    for (const cookie of ['null', '"x"', '[]'])
      expect(decodeSession({ ...row, data: '{"a":1}', cookie })).toMatchObject({ a: 1 })
  })

  it('a callback that is no function, before anything is asked', async () => {
    const store = new PgSessionStore({ stash })
    const hits = new (fastifyRateLimitStore({ stash }))()
    for (const bad of [5, 'x', {}, Symbol('c')].map(anything)) {
      expect(() => store.set('k', {}, bad)).toThrow('callback must be a function')
      expect(() => hits.incr('k', bad, 1_000, 5)).toThrow('callback must be a function')
    }
    expect(stash.metrics().callsUnderWay).toBe(0)
    await refusal(() => store.set('a\0', {}, anything(null)), 'key')
  })

  it('a table of sessions', async () => {
    await refusal(async () => new Sessions({ stash, table: 'a\0b' }), 'table')
    await refusal(async () => new Sessions({ stash, table: 'a\0.b' }), 'schema')
    await refusal(async () => stash.connectTable(anything(undefined), ConnectSessionTable), 'schema')
  })

  it('options that are none', async () => {
    await refusal(() => cache.get('k', anything(5)), 'options')
    await refusal(() => cache.get('k', anything(new AbortController().signal)), 'options')
    await refusal(() => cache.get('k', { signal: Object.create(AbortSignal.prototype) }), 'signal')
    await refusal(async () => new KeyvPgStore(anything(null)), 'options')
    await refusal(async () => cache.keys({ match: '*'.repeat(1_025) }), 'match')
  })

  it('puts no key and no value into a message', async () => {
    const secrets = ['secret-key\0', 'secret-value']
    const errors = await Promise.all([
      cache.get(secrets[0] as string).catch((error) => error),
      cache.set('k', secrets[1]?.repeat(200)).catch((error) => error),
    ])
    for (const { message } of errors) expect(message).not.toContain('secret')
  })

  it('refuses a closed stash', async () => {
    const closed = new PgStash(nowhere)
    await closed.close()
    await expect(closed.namespace('a').get('k')).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
    await expect(closed.namespace('a').getMany([])).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
    for (const call of [() => closed.sweep(), () => closed.stats(), () => closed.migrate(), () => closed.ready()]) {
      await expect(call()).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
    }
    expect(closed.isClosed).toBe(true)
  })
})
