import { fastifyRateLimitStore } from '../../src/adapters/fastify-rate-limit'
import { KeyvPgStore } from '../../src/adapters/keyv/store'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter, type RateLimiterOptions } from '../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'

/** What was asked, and what was answered; not what differs between two runs: versions and times. */
export type Transcript = readonly (readonly [verb: string, answer: unknown])[]

/**
 * Calls every verb, alone and in batches, in a tenant of its own.
 * @param letters stand in keys, values, namespaces, sessions and users
 */
export async function everyVerb(stash: PgStash, letters: string): Promise<Transcript> {
  return [
    ...(await ofEntries(stash, letters)),
    ...(await ofKeyv(stash, letters)),
    ...(await ofSessions(new Sessions({ stash, userId, lostUpdates: 'reject', namespace: `s${letters}` }), letters)),
    ...(await ofLimits(stash, letters)),
  ]
}

const userId = (session: object) => (session as { user?: string }).user

/** In an order of its own: the database's is that of the bytes in its encoding. */
async function listed<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of generator) all.push(one)
  return all.sort((a, b) => (String(a) < String(b) ? -1 : 1))
}

async function ofEntries(stash: PgStash, letters: string): Promise<Transcript> {
  const tenant = stash.tenant(`t${letters}`)
  const cache = tenant.namespace(`n${letters}`)
  const key = (name: string) => `${letters}:${name}`
  const long = key('long'.repeat(400))
  const { version } = await cache.set(key('a'), { text: letters })
  const batch = ['b', 'c', 'd'].map((name) => ({ key: key(name), value: `${letters} ${name}`, ttl: 600_000 }))
  await cache.setMany([...batch, { key: long, value: letters }])
  await cache.setMany([
    { key: 'other', value: 1 },
    ...batch.map(({ key }) => ({ key: `~${key}`, value: Buffer.from(key) })),
  ])
  return [
    ['get', await cache.get(key('a'))],
    ['get long', await cache.get(long)],
    ['getMany', await cache.getMany([key('b'), long, 'none'])],
    ['getMany of two namespaces', await Promise.all([cache.get(key('c')), tenant.namespace('else').get(key('c'))])],
    ['hasMany', await cache.hasMany([key('b'), long, 'none'])],
    ['getEntry', [(await cache.getEntry(key('a')))?.value, (await cache.getEntry('none')) === undefined]],
    [
      'getEntries',
      await Promise.all([cache.getEntry(key('a')), cache.getEntry(long)]).then((all) => all.map((one) => one?.value)),
    ],
    ['ttl', [typeof (await cache.ttl(key('b'))), await cache.ttl(key('a'))]],
    ['add', await Promise.all([cache.add(key('a'), 1), cache.add(key('added'), letters)])],
    [
      'compareAndSet',
      [
        (await cache.compareAndSet(key('a'), version, letters)).ok,
        (await cache.compareAndSet(key('a'), version, 1)).ok,
      ],
    ],
    ['increment', await cache.increment(key('n'), 2)],
    ['increments', await Promise.all([cache.increment(key('n'), 3), cache.increment(key('m'))])],
    ['touch', await Promise.all([cache.touch(key('a'), 60_000), cache.touch('none', 60_000)])],
    ['keys', await listed(cache.keys())],
    ['keys by prefix', await listed(cache.keys({ prefix: `${letters}:` }))],
    ['keys by the letters', await listed(cache.keys({ prefix: letters }))],
    ['keys by pattern', await listed(cache.keys({ match: `${letters}:?` }))],
    ['entries', await listed(cache.entries({ prefix: letters }))],
    ['take', await Promise.all([cache.take(key('b')), cache.take('none')])],
    ['delete', await cache.delete(key('c'))],
    ['deleteMany', await cache.deleteMany([key('d'), 'none'])],
    ['deleteByPrefix', await cache.deleteByPrefix(letters)],
    ['keys after it', await listed(cache.keys())],
    ['clear', await cache.clear()],
    ['keys after it', await listed(cache.keys())],
    ['clear of the tenant', await tenant.clear()],
  ]
}

async function ofKeyv(stash: PgStash, letters: string): Promise<Transcript> {
  const store = new KeyvPgStore(stash, { namespace: `keyv${letters}`, contract: 'keyv6' })
  await store.set('k', letters)
  await store.setMany([
    { key: letters, value: '1' },
    { key: 'z', value: '2' },
  ] as never)
  return [
    ['keyv iterator', await listed(store.iterator() as AsyncIterable<unknown>)],
    ['keyv clear', await store.clear()],
    ['keyv iterator after it', await listed(store.iterator() as AsyncIterable<unknown>)],
  ]
}

async function ofSessions(sessions: Sessions, letters: string): Promise<Transcript> {
  const [id, other] = [`id${letters}`, 'other']
  const data = { user: letters, cookie: { path: `/${letters}` } }
  await sessions.set(id, data)
  await Promise.all([sessions.set(other, data), sessions.set('long'.repeat(400), { letters })])
  const read = await sessions.get(id)
  await sessions.set(id, { ...read, n: 1 } as never)
  await sessions.touch(id, data)
  return [
    ['session', (await sessions.get(id))?.user],
    [
      'sessions',
      await Promise.all([sessions.get(other), sessions.get('none')]).then((all) => all.map((one) => one?.user)),
    ],
    ['all', (await sessions.all()).map((one) => one.id)],
    ['length', await sessions.length()],
    ['listByUser', (await sessions.listByUser(letters)).map((one) => one.id)],
    ['destroyByUser', await sessions.destroyByUser(letters, { except: id })],
    ['destroy', await sessions.destroy(id)],
    ['clear', await sessions.clear()],
    ['ids', await sessions.ids()],
  ]
}

async function ofLimits(stash: PgStash, letters: string): Promise<Transcript> {
  const limiterOf = (options: RateLimiterOptions) =>
    new RateLimiter({ stash, name: `l${letters}`, denyCache: false, ...options })
  const limiters = (['fixed-window', 'sliding-window', 'gcra'] as const).map((algorithm) =>
    limiterOf({ algorithm, limit: 3, windowMs: 3_600_000 }),
  )
  const several = limiterOf({
    name: 'several',
    limits: [2, 3].map((limit) => ({ limit, windowMs: limit * 3_600_000 })),
    block: { blockMs: 60_000 },
  })
  const transcript: [string, unknown][] = []
  for (const limiter of [...limiters, several]) {
    const hits = await Promise.all([letters, 'b', letters, letters, letters].map((key) => limiter.consume(key)))
    transcript.push(['consume', hits.map(({ isAllowed }) => isAllowed)])
    transcript.push(['consume again', (await limiter.consume(letters)).isAllowed])
    transcript.push(['peek', (await limiter.peek(letters)).remaining])
    transcript.push(['penalty', (await limiter.penalty(letters)).isAllowed])
    transcript.push(['reward', (await limiter.reward(letters, 3)).remaining])
    transcript.push(['reset', await limiter.reset(letters)])
    transcript.push(['clear', await limiter.clear()])
    transcript.push(['peek after it', (await limiter.peek('b')).remaining])
  }
  transcript.push(['windows begun anew', await hitsThatContinue(stash, letters)])
  const logins = new LoginLimiter({ stash, name: `logins${letters}`, attempts: 2, windowMs: 3_600_000 })
  const attempt = await logins.begin({ username: letters, ip: '192.0.2.1' })
  await attempt.succeed()
  transcript.push(['login', (await logins.peek({ username: letters, ip: '192.0.2.1' })).isAllowed])
  await logins.clear()
  return transcript
}

/** What a host counts whose hits over the limit begin the window anew. */
async function hitsThatContinue(stash: PgStash, letters: string): Promise<number[]> {
  const Store = fastifyRateLimitStore({ stash, prefix: `f${letters}` })
  const store = new Store({ continueExceeding: true })
  const hit = (key: string) =>
    new Promise<number>((resolve, reject) => {
      store.incr(key, (error, answer) => (error ? reject(error) : resolve(answer?.current as number)), 3_600_000, 2)
    })
  return [...(await Promise.all([letters, 'b', letters].map(hit))), await hit(letters)]
}
