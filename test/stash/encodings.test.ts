import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { LoginLimiter } from '../../src/stash/limits/login-limiter'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import { freshSchema } from '../support/bodies'
import { everyVerb } from '../support/every-verb'

/** Letters that the encoding has, the last of its bytes among them, and one that it lacks. */
const encodings: [name: string, letters: string, lacking: string | undefined][] = [
  ['LATIN1', 'é§ÿ', '漢'],
  ['LATIN9', '€éÿ', '漢'],
  ['WIN1252', '…€ÿ', '漢'],
  ['EUC_JP', '漢ユ熙', '🙂'],
  ['SQL_ASCII', 'é漢🙂', undefined],
  ['UTF8', '\ud7ff🙂\u{10ffff}', undefined],
]

const server = inject('postgresUrl')

async function listed<T>(generator: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = []
  for await (const one of generator) all.push(one)
  return all
}

const utf8 = new PgStash({ connectionString: server, schema: freshSchema(), timeoutMs: 60_000, max: 2, sweeper: false })

afterAll(async () => {
  await utf8.close()
  const client = new pg.Client(server)
  await client.connect()
  await client.query(`drop schema ${utf8.schema} cascade`)
  await client.end()
})

describe.each(encodings)('a database in %s', (encoding, letters, lacking) => {
  const admin = new pg.Client(server)
  const database = freshSchema()
  const open = (options = {}) =>
    new PgStash({
      connectionString: server.replace(/\/[^/]*$/, `/${database}`),
      schema: 's',
      timeoutMs: 60_000,
      max: 2,
      sweeper: false,
      ...options,
    })
  let stash: PgStash

  beforeAll(async () => {
    await admin.connect()
    await admin.query(`create database ${database} encoding '${encoding}' template template0 locale 'C'`)
    stash = open()
  })

  afterAll(async () => {
    await stash.close()
    await admin.query(`drop database ${database} with (force)`)
    await admin.end()
  })

  it('answers every verb as one in UTF8', async () => {
    expect(await everyVerb(stash, letters)).toEqual(await everyVerb(utf8, letters))
    await stash.sweep()
    expect((await stash.stats()).live).toBe(0)
    expect((await stash.doctor()).checks.find(({ name }) => name === 'encoding')?.detail).toContain(encoding)
  })

  it('lists and deletes by any prefix what begins with it, and nothing else', async () => {
    const cache = stash.namespace(letters)
    const neighbour = stash.namespace(`${letters}!`)
    const points = ['a', '~', '\x7f', '\x01', ...letters]
    const keys = [
      ...points,
      ...points.flatMap((a) => points.flatMap((b) => [`${a}${b}`, `${a}${b}z`])),
      `${letters}${'x'.repeat(2_000)}`,
    ]
    await cache.setMany(keys.map((key) => ({ key, value: 1 })))
    await neighbour.set('a', 1)
    expect((await listed(cache.keys())).sort()).toEqual([...new Set(keys)].sort())
    for (const prefix of [...points, ...points.map((point) => `${point}${letters[0]}`), letters]) {
      const expected = [...new Set(keys)].filter((key) => key.startsWith(prefix)).sort()
      expect([prefix, (await listed(cache.keys({ prefix }))).sort()]).toEqual([prefix, expected])
      expect([prefix, (await listed(cache.keys({ match: `${prefix}*` }))).sort()]).toEqual([prefix, expected])
    }
    const last = [...letters].at(-1) as string
    expect(await cache.deleteByPrefix(last)).toBe(new Set(keys.filter((key) => key.startsWith(last))).size)
    expect((await listed(cache.keys())).sort()).toEqual(
      [...new Set(keys)].filter((key) => !key.startsWith(last)).sort(),
    )
    expect(await listed(neighbour.keys())).toEqual(['a'])
  })

  if (lacking === undefined) return

  it('refuses a character that it lacks, by row and by field, and serves the neighbours', async () => {
    const cache = stash.namespace('refusals')
    const refusal = (field: string) => ({
      status: 'rejected',
      reason: { code: 'ERR_PGSTASH_ENCODING', field, encoding, character: lacking },
    })
    const sets = [
      cache.set('a', 1),
      cache.set(`k${lacking}`, 1),
      cache.set('b', `v${lacking}`),
      cache.set('c', letters),
    ]
    expect(await Promise.allSettled(sets)).toMatchObject([
      { status: 'fulfilled' },
      refusal('key'),
      refusal('value'),
      { status: 'fulfilled' },
    ])
    const gets = [cache.get('a'), cache.get(`k${lacking}`), cache.get('b'), cache.get('c')]
    expect(await Promise.allSettled(gets)).toMatchObject([
      { value: 1 },
      refusal('key'),
      { value: undefined },
      { value: letters },
    ])
    expect(
      await Promise.allSettled([cache.delete(`k${lacking}`), stash.namespace(lacking as string).get('a')]),
    ).toMatchObject([refusal('key'), refusal('namespace')])
    await expect(listed(cache.keys({ prefix: lacking }))).rejects.toMatchObject({
      sqlState: '22P05',
      message: expect.stringContaining('UTF8'),
    })
    const sessions = new Sessions({ stash })
    const users = [
      sessions.set('a', { n: 1 } as never),
      sessions.set('b', { user: lacking } as never),
      sessions.get('c'),
    ]
    expect(await Promise.allSettled(users)).toMatchObject([
      { status: 'fulfilled' },
      refusal('value'),
      { value: undefined },
    ])
    // A caller is counted, whatever he is called.
    const caller = `u${lacking}`
    const limiter = new RateLimiter({ stash, limit: 1, windowMs: 3_600_000 })
    const hits = await Promise.all([limiter.consume(caller), limiter.consume(caller)])
    expect(hits.map(({ isAllowed }) => isAllowed)).toEqual([true, false])
    const logins = new LoginLimiter({ stash, limits: { username: 1 }, windowMs: 3_600_000 })
    await logins.begin({ username: caller, ip: '192.0.2.1' })
    expect((await logins.begin({ username: caller, ip: '192.0.2.1' })).isAllowed).toBe(false)
  })
})
