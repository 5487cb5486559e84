import { readFileSync, writeFileSync } from 'node:fs'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { connectionAdvice } from '../../src/postgres/wire/connection-advice'
import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'
import {
  failingTlsWays,
  failingWays,
  listening,
  poolsOf,
  preparations,
  type Source,
  spoiltSources,
} from '../support/servers/no-connection'
import { hasPgBouncer, PgBouncer } from '../support/servers/pgbouncer'
import { TestServer } from '../support/servers/postgres'
import { hasOpenssl, SelfSigned } from '../support/servers/self-signed'

let server: TestServer
const closing: (() => unknown)[] = []
let sources: Source[]

beforeAll(async () => {
  server = await (await TestServer.create()).start()
  const admin = new pg.Client(server.url())
  await admin.connect()
  for (const text of preparations) await admin.query(text)
  await admin.end()
  // The server trusts everybody else.
  await admitBy(server, (rules) => `host all locked 127.0.0.1/32 scram-sha-256\n${rules}`)
  const silent = await listening((socket) => void socket.resume())
  const rude = await listening((socket) => void socket.on('data', () => socket.destroy()))
  const strange = await listening(
    (socket) => void socket.on('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n')),
  )
  closing.push(silent.close, rude.close, strange.close)
  const ways = failingWays(server, silent.port, rude.port, strange.port)
  sources = [...ways.flatMap(poolsOf), ...spoiltSources(server.url())]
})
afterAll(async () => {
  for (const close of closing) close()
  await server.remove()
})

/** Rewrites the server's pg_hba.conf, and has it read. */
async function admitBy(server: TestServer, rulesOf: (rules: string) => string): Promise<void> {
  const admin = new pg.Client(server.url())
  await admin.connect()
  const { rows } = await admin.query('show hba_file')
  const file = rows[0].hba_file
  writeFileSync(file, rulesOf(readFileSync(file, 'utf8')))
  await admin.query('select pg_reload_conf()')
  await admin.end()
}

it('however no connection is had: an outage in which nothing was sent, with the next step for its cause', {
  timeout: 120_000,
}, async () => {
  expect(sources.length).toBeGreaterThan(60)
  await expectOutages(sources)
})

describe.skipIf(!hasOpenssl)('a server that admits nobody without TLS, and signed its certificate itself', () => {
  let guarded: TestServer
  let signed: SelfSigned
  beforeAll(async () => {
    signed = new SelfSigned('database.test')
    guarded = await (await TestServer.create(signed.settings)).start()
    await admitBy(guarded, () => 'hostssl all all 127.0.0.1/32 trust\n')
  })
  afterAll(async () => {
    await guarded.remove()
    signed.remove()
  })

  it('however no connection is had: an outage, with the next step', { timeout: 60_000 }, async () => {
    const ways = failingTlsWays(guarded, signed.certificate, signed.name)
    await expectOutages(ways.flatMap((way) => poolsOf(way, 0)))
  })

  it('serves who took the steps', async () => {
    const ssl = { ca: signed.certificate, servername: signed.name }
    const stash = new PgStash({ connectionString: guarded.url(), ssl, timeoutMs: 10_000, sweeper: false })
    await stash.namespace('a').set('k', 1)
    expect(await stash.namespace('a').get('k')).toBe(1)
    await stash.close()
  })
})

async function expectOutages(sources: readonly Source[]): Promise<void> {
  const wrong: unknown[] = []
  // Some at once: what does not answer is waited for.
  for (let at = 0; at < sources.length; at += 4)
    wrong.push(...(await Promise.all(sources.slice(at, at + 4).map(faultsOf))).flat())
  expect(wrong).toEqual([])
}

async function faultsOf(source: Source): Promise<unknown[]> {
  const { options, close } = await source.open()
  const stash = new PgStash({
    ...options,
    timeoutMs: 1_500,
    breaker: { failures: 3, cooldownMs: 60_000 },
    onError: 'miss',
    sweeper: false,
  })
  const { message, ...facts } = await answersOf(stash)
  await stash.close()
  await close()
  const expected = {
    code: expect.stringMatching(/CONNECTION|TIMEOUT/),
    outcome: 'not-sent',
    miss: true,
    limits: [true, false, true],
    session: 'outage',
    isOpen: true,
  }
  const isAdvised = source.nextStep.test(message) && /nothing was sent/.test(message)
  return [...(isAdvised ? [] : [[source.name, message]]), ...(isAlike(facts, expected) ? [] : [[source.name, facts]])]
}

function isAlike(facts: unknown, expected: unknown): boolean {
  try {
    expect(facts).toEqual(expected)
    return true
  } catch {
    return false
  }
}

/** One call after the other: what decides first, then what may miss; then the breaker is open. */
async function answersOf(stash: PgStash) {
  const cache = stash.namespace('a')
  const error = await cache.increment('n').catch((reason) => reason)
  const session = await new Sessions({ stash }).get('s').then(
    () => 'answered',
    ({ code }) => (/CONNECTION|CIRCUIT|TIMEOUT/.test(code) ? 'outage' : code),
  )
  const miss = (await cache.get('k').catch(() => 'failed')) === undefined
  const limits: unknown[] = []
  for (const onError of ['open', 'closed', 'memory'] as const) {
    const limiter = new RateLimiter({ stash, limit: 5, windowMs: 60_000, onError })
    limits.push(
      await limiter.consume('c').then(
        ({ isAllowed }) => isAllowed,
        ({ code }) => code,
      ),
    )
  }
  const last = await cache.increment('n').catch(({ code }) => code)
  const { code, outcome, message } = error
  return { code, outcome, message, miss, limits, session, isOpen: last === 'ERR_PGSTASH_CIRCUIT_OPEN' }
}

describe('advice', () => {
  const coded = (code: string, message = 'no') => Object.assign(new Error(message), { code })

  it.each([
    [coded('DEPTH_ZERO_SELF_SIGNED_CERT'), /ssl: \{ ca \}/],
    [coded('SELF_SIGNED_CERT_IN_CHAIN'), /ssl: \{ ca \}/],
    [coded('UNABLE_TO_VERIFY_LEAF_SIGNATURE'), /ssl: \{ ca \}/],
    [coded('ERR_TLS_CERT_ALTNAME_INVALID'), /servername/],
    [coded('CERT_HAS_EXPIRED'), /Renew/],
    [coded('EPROTO'), /agree on TLS/],
    [coded('08P01', 'no more connections allowed (max_client_conn)'), /pooler that refuses/],
    [coded('08P01', 'query_wait_timeout'), /pooler that refuses/],
    [coded('57P03'), /wait for it/],
    [coded('EHOSTUNREACH'), /firewall/],
    [new AggregateError([coded('ECONNREFUSED')]), /Nobody listens/],
  ])('of %s', (cause, nextStep) => {
    expect(connectionAdvice(cause)).toMatch(nextStep)
  })
})

describe.skipIf(!hasPgBouncer)('a pooler that refuses', () => {
  const behind = async (settings: readonly string[], run: (stash: PgStash, url: string) => Promise<void>) => {
    const bouncer = await PgBouncer.before(server.url(), 'postgres', settings)
    const stash = new PgStash({ connectionString: bouncer.url, timeoutMs: 5_000, sweeper: false })
    await run(stash, bouncer.url)
    await stash.close()
    await bouncer.stop()
  }

  it('a client too many: nothing was sent', async () => {
    await behind(['max_client_conn=1'], async (stash, url) => {
      const taken = new pg.Client(url)
      await expect
        .poll(
          () =>
            taken.connect().then(
              () => true,
              () => false,
            ),
          { timeout: 5_000 },
        )
        .toBe(true)
      await expect(stash.namespace('a').increment('n')).rejects.toMatchObject({
        code: 'ERR_PGSTASH_CONNECTION',
        outcome: 'not-sent',
        message: expect.stringMatching(/pooler that refuses/),
      })
      await taken.end()
    })
  })

  it('a client that it has let in and has no server connection for: nothing was sent', async () => {
    await behind(['query_wait_timeout=1', 'max_db_connections=1'], async (stash, url) => {
      const taken = new pg.Client(url)
      await taken.connect()
      await stash.ready()
      await taken.query('begin')
      await expect(stash.namespace('a').increment('n')).rejects.toMatchObject({
        code: 'ERR_PGSTASH_CONNECTION',
        outcome: 'not-sent',
        message: expect.stringMatching(/pooler that refuses/),
      })
      await taken.end()
      await expect
        .poll(
          () =>
            stash
              .namespace('a')
              .increment('n')
              .catch(({ code }) => code),
          { timeout: 5_000 },
        )
        .toBe(1)
    })
  })
})
