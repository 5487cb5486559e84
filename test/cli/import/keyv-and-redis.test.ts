import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import KeyvPostgres from '@keyv/postgres'
import KeyvRedis, { createKeyv } from '@keyv/redis'
import { createClient } from '@redis/client'
import { caching } from 'cache-manager5'
import Keyv from 'keyv'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import { pgStore } from '../../../src/adapters/cache-manager/store'
import { KeyvPgStore } from '../../../src/adapters/keyv/store'
import { PgStash } from '../../../src/stash/pg-stash'
import { describePostgres, freshSchema } from '../../support/bodies'
import { oneOf, rounds } from '../../support/depth'
import { runCommand } from '../../support/processes'
import { startFakeRedis } from '../../support/servers/fake-redis'
import { hasRedisServer, type Redis, startRedisServer } from '../../support/servers/redis'
import { sleep } from '../../support/sleep'
import { documentOf, pgstash } from '../pgstash'

const main = join(import.meta.dirname, '../../../dist/cli/main.js')
const url = inject('postgresUrl')

/** With nobody at a terminal to ask. */
const runImport = (...args: string[]) => runCommand('node', [main, 'import', '--yes', ...args])

const connectTo = (redis: Redis) => createClient({ url: redis.url }).on('error', () => {})

/** Keys, and how many of them a page has: it takes hundreds, so that a run can be stopped on its way. */
const count = rounds({ shallow: 4_000, deep: 20_000 })
const batch = String(rounds({ shallow: 8, deep: 20 }))

const bodies: [name: string, start: () => Promise<Redis>][] = [
  ...(hasRedisServer ? [['a redis-server', () => startRedisServer()] as [string, () => Promise<Redis>]] : []),
  ['a fake of it', () => startFakeRedis()],
]

describe.each(oneOf(bodies))('pgstash import from %s', (_, start) => {
  let redis: Redis
  let client: ReturnType<typeof connectTo>
  let stash: PgStash

  beforeAll(async () => {
    redis = await start()
    client = connectTo(redis)
    await client.connect()
  })
  beforeEach(() => {
    stash = new PgStash({ connectionString: url, schema: freshSchema(), timeoutMs: 60_000 })
  })
  afterEach(async () => {
    await stash.close()
    await client.flushAll()
  })
  afterAll(async () => {
    client?.destroy()
    await redis?.close()
  })

  const target = () => ['--url', url, '--schema', stash.schema]
  const from = () => ['--from', redis.url, ...target()]
  const views = (...args: string[]) => runImport(...from(), '--namespace', 'views', '--json', ...args)

  /** Every third lives for ever. */
  const ttlOf = (n: number) => (n % 3 === 0 ? null : 600_000 + n * 100)

  async function fill(many: number): Promise<void> {
    for (let from = 0; from < many; from += 1_000) {
      const some = Array.from({ length: Math.min(1_000, many - from) }, (_, at) => from + at)
      await Promise.all(
        some.map((n) => client.set(`user:${n}`, `value ${n}`, ttlOf(n) === null ? {} : { PX: ttlOf(n) as number })),
      )
    }
  }

  async function expectAll(): Promise<void> {
    const cache = stash.namespace('views')
    const found = new Map<string, unknown>()
    for await (const [key, value] of cache.entries()) found.set(key, value)
    expect(found).toEqual(new Map(Array.from({ length: count }, (_, n) => [`user:${n}`, `value ${n}`])))
    for (let n = 0; n < count; n += Math.ceil(count / 200)) await expectTtl(`user:${n}`)
  }

  async function expectTtl(key: string): Promise<void> {
    const [there, here] = [await client.pTTL(key), await stash.namespace('views').ttl(key)]
    if (there === -1) expect(here).toBeNull()
    else expect(Math.abs((here as number) - there)).toBeLessThan(1_000)
  }

  it(`keeps ${count} values and what is left of their ttl`, async () => {
    await fill(count)
    const ended = await views()
    expect(ended.code, ended.output).toBe(0)
    const report = JSON.parse(ended.output)
    expect(report).toEqual({
      source: redis.url,
      notes: [],
      as: 'entries',
      target: { schema: stash.schema, tenant: 'default', namespace: 'views', namespaceVersion: null },
      dryRun: false,
      read: expect.any(Number),
      written: report.read,
      skipped: {},
      notJson: 0,
      inexact: 0,
      withUser: 0,
      readBefore: 0,
      seconds: expect.any(Number),
      isStopped: false,
    })
    await expectAll()
  }, 60_000)

  it('goes on where a killed run stopped, and ends complete', async () => {
    await fill(count)
    const child = spawn('node', [main, 'import', '--yes', ...from(), '--namespace', 'views', '--batch', batch], {
      stdio: 'ignore',
    })
    const exit = once(child, 'exit')
    const progress = stash.namespace('pgstash-import')
    while ((await progress.keys().next()).done) await sleep(5)
    child.kill('SIGKILL')
    expect(await exit).toEqual([null, 'SIGKILL'])

    const again = JSON.parse((await views()).output)
    expect(again.readBefore).toBeGreaterThan(0)
    expect(again.read).toBeGreaterThan(0)
    expect(again.read).toBeLessThan(count)
    await expectAll()
    expect((await progress.keys().next()).done).toBe(true)
  }, 60_000)

  it.each(['SIGINT', 'SIGTERM'] as const)(
    'ends at %s after the page under way, and keeps its place',
    async (how) => {
      await fill(count)
      const args = ['import', '--yes', ...from(), '--namespace', 'views', '--batch', batch, '--json']
      const child = spawn('node', [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
      let [stdout, stderr] = ['', '']
      child.stdout.on('data', (chunk: Buffer) => {
        stdout += chunk
      })
      child.stderr.on('data', (chunk: Buffer) => {
        stderr += chunk
      })
      const end = once(child, 'close')
      while ((await stash.namespace('views').keys().next()).done) await sleep(5)
      child.kill(how)
      expect(await end).toEqual([1, null])
      expect(stderr).toBe('ERR_PGSTASH_STOPPED: before the end. Run the same command again: it goes on from here.\n')
      const report = JSON.parse(stdout)
      expect(report).toMatchObject({ isStopped: true, read: expect.any(Number) })
      for await (const [key, place] of stash.namespace('pgstash-import').entries()) {
        expect(JSON.stringify([key, place])).not.toMatch(/user:|views|127\.0\.0\.1/)
        expect(await stash.namespace('pgstash-import').ttl(key)).toBeGreaterThan(6 * 24 * 3_600_000)
      }

      const again = JSON.parse((await views()).output)
      expect(again).toMatchObject({ readBefore: report.read, isStopped: false })
      await expectAll()
    },
    60_000,
  )

  it.each(['cleared', 'told to', 'Redis was restarted'])(
    'begins anew when %s',
    async (why) => {
      await fill(count)
      const child = spawn('node', [main, 'import', '--yes', ...from(), '--namespace', 'views', '--batch', batch], {
        stdio: 'ignore',
      })
      const progress = stash.namespace('pgstash-import')
      while ((await progress.keys().next()).done) await sleep(5)
      child.kill('SIGKILL')
      await once(child, 'exit')
      if (why === 'cleared') await stash.namespace('views').clear()
      if (why === 'Redis was restarted') {
        for await (const [key, place] of progress.entries<object>())
          await progress.set(key, { ...place, epoch: 'before' })
      }

      const again = JSON.parse((await views(...(why === 'told to' ? ['--restart'] : []))).output)
      expect(again).toMatchObject({ readBefore: 0, skipped: {} })
      await expectAll()
    },
    60_000,
  )

  it('keeps bytes, any text, and keys of any length', async () => {
    const bytes = Buffer.from([0xff, 0xfe, 0, 1, 0x80])
    const texts = ['', 'a\0b', '\ufeffmark', 'Grüße 🐘', '{"not":"read"}', '42']
    await client.set('bytes', bytes)
    for (const [n, text] of texts.entries()) await client.set(`text:${n}`, text)
    await client.set('schlüssel 🔑:ключ', 'unicode')
    await client.set(`long:${'é'.repeat(5_000)}`, 'long')
    const ended = await views()
    expect(JSON.parse(ended.output)).toMatchObject({ written: 9, skipped: {} })
    const cache = stash.namespace('views')
    expect(await cache.get('bytes')).toEqual(bytes)
    expect(await cache.getMany(texts.map((_, n) => `text:${n}`))).toEqual(texts)
    expect(await cache.get('schlüssel 🔑:ключ')).toBe('unicode')
    expect(await cache.get(`long:${'é'.repeat(5_000)}`)).toBe('long')
  })

  it('skips what it cannot keep, and says why', async () => {
    await client.sendCommand(['HSET', 'a hash', 'f', 'v'])
    await client.sendCommand(['RPUSH', 'a list', 'v'])
    await client.set('nul\0', 'v')
    await client.set(Buffer.from([0x6b, 0xff]), 'v')
    await client.set('text', 'v')
    await client.set('gone', 'v', { PX: 1 })
    await sleep(20)
    const { read, written, skipped } = JSON.parse((await views()).output)
    expect(written).toBe(1)
    // SCAN may or may not name a key that has expired.
    expect(skipped).toEqual({
      hash: 1,
      'key-not-utf8': 1,
      'key-unfit': 1,
      list: 1,
      ...(read === 6 && { expired: 1 }),
    })
    expect(await stash.namespace('views').get('text')).toBe('v')
  })

  it('reads JSON where it is told to, for the API and for cache-manager', async () => {
    await client.set('object', '{"n":1}', { PX: 60_000 })
    await client.set('string', '"text"')
    await client.set('number', '5')
    await client.set('null', 'null')
    await client.set('none', '{oops')
    const ended = await runImport(...from(), '--namespace', 'cache', '--values', 'json', '--json')
    expect(JSON.parse(ended.output)).toMatchObject({ written: 5, notJson: 1 })
    const cache = stash.namespace('cache')
    expect(await cache.getMany(['object', 'string', 'number', 'null', 'none'])).toEqual([
      { n: 1 },
      'text',
      5,
      null,
      '{oops',
    ])
    expect(await cache.increment('number')).toBe(6)
    const managed = await caching(pgStore({ stash }))
    expect(await managed.get('object')).toEqual({ n: 1 })
    expect(await managed.store.ttl('object')).toBeGreaterThan(50_000)
  })

  it('keeps bytes as bytes where it is told to', async () => {
    await client.set('k', 'text')
    expect((await views('--values', 'bytes')).code).toBe(0)
    expect(await stash.namespace('views').get('k')).toEqual(Buffer.from('text'))
  })

  it.each([
    ['views::views:', 'views', (store: KeyvRedis<unknown>) => new Keyv({ store, namespace: 'views' })],
    ['keyv::keyv:', 'keyv', (store: KeyvRedis<unknown>) => new Keyv(store)],
    ['made::', 'made', () => createKeyv(redis.url, { namespace: 'made' })],
  ])('lets Keyv 5 read what Keyv 5 wrote under %s', async (prefix, namespace, open) => {
    const old = open(new KeyvRedis(redis.url))
    await old.set('object', { n: 1, at: 'Grüße' })
    await old.set('string', 'text', 600_000)
    await old.set('bytes', Buffer.from([0xff, 0]))
    await old.set('a:b::c', [1, null])
    await client.set('another', 'app')
    const ended = await runImport(...from(), '--strip-prefix', prefix, '--namespace', namespace, '--json')
    expect(JSON.parse(ended.output)).toMatchObject({ read: 4, written: 4, skipped: {} })

    const keyv = new Keyv({ store: new KeyvPgStore(stash), namespace })
    for (const key of ['object', 'string', 'bytes', 'a:b::c']) expect(await keyv.get(key)).toEqual(await old.get(key))
    expect((await keyv.get('string', { raw: true }))?.expires).toBe((await old.get('string', { raw: true }))?.expires)
    expect(await stash.namespace(namespace).ttl('string')).toBeGreaterThan(590_000)
    await old.disconnect()
  })

  it('takes what matches, into a tenant and a version', async () => {
    await client.set('views:1', 'one')
    await client.set('views:2', 'two')
    await client.set('other:3', 'three')
    const place = ['--tenant', 'acme', '--namespace-version', '2', '--strip-prefix', 'views:']
    expect(JSON.parse((await views(...place)).output)).toMatchObject({ read: 2, written: 2 })
    const cache = stash.tenant('acme').namespace('views', { version: 2 })
    expect(await cache.getMany(['1', '2'])).toEqual(['one', 'two'])
    expect(JSON.parse((await views('--match', 'other:*')).output)).toMatchObject({ read: 1, written: 1 })
    expect(JSON.parse((await views(...place, '--match', '*')).output).skipped).toEqual({ 'other-prefix': 1 })
  })

  it('overwrites, or keeps what is there', async () => {
    const cache = stash.namespace('views')
    await client.set('a', 'theirs')
    await client.set('b', 'theirs')
    await cache.set('a', 'ours')
    expect(JSON.parse((await views('--if-absent')).output)).toMatchObject({ written: 1, skipped: { present: 1 } })
    expect(await cache.getMany(['a', 'b'])).toEqual(['ours', 'theirs'])
    expect(JSON.parse((await views()).output)).toMatchObject({ written: 2 })
    expect(await cache.get('a')).toBe('theirs')
  })

  it('writes nothing in a dry run, not even a schema', async () => {
    await fill(10)
    await client.set('nul\0', 'v')
    const ended = await views('--dry-run')
    expect(JSON.parse(ended.output)).toMatchObject({ dryRun: true, written: 10, skipped: { 'key-unfit': 1 } })
    const strict = new PgStash({ connectionString: url, schema: stash.schema, migrate: false })
    await expect(strict.ready()).rejects.toMatchObject({ code: 'ERR_PGSTASH_SCHEMA_OUTDATED', found: 0 })
    await strict.close()
  })

  it('tells people what it did', async () => {
    await fill(10)
    await client.sendCommand(['HSET', 'a hash', 'f', 'v'])
    const { code, output } = await runImport(...from(), '--namespace', 'views')
    expect(code).toBe(0)
    expect(output.replace(/\d\.\d s/, '0.1 s')).toBe(
      `Read 11 from ${redis.url} in 0.1 s.\nWrote 10 to ${stash.schema}, tenant default, namespace views.\nSkipped: 1 hash.\n`,
    )
  })

  it('tells people where a prefix is another than theirs', async () => {
    await fill(10)
    const { code, output } = await runImport(...from(), '--namespace', 'views', '--strip-prefix', 'misspelt:')
    expect(code).toBe(0)
    expect(output).toMatch(
      /^Read 0 from .*\nWrote 0 to .*\nNothing was there to read: .*--strip-prefix and --match\.\n$/,
    )
  })

  it('fails when the source goes away, and says what next', async () => {
    const gone = await start()
    await gone.close()
    const ended = await runImport('--from', gone.url, ...target(), '--namespace', 'views')
    expect(ended).toMatchObject({ code: 1, output: expect.stringContaining('ECONNREFUSED') })
    expect(ended.output).toContain('ERR_PGSTASH_IMPORT_SOURCE')
  })
})

describePostgres('pgstash import from @keyv/postgres', (body) => {
  const table = `old_${freshSchema()}`
  const place = (stash: PgStash) => ['--from', url, '--table', table, '--url', url, '--schema', stash.schema, '--json']

  afterEach(() => body.sql(`drop table if exists ${table}`))

  it('lets Keyv read every entry, and leaves the expired', async () => {
    const store = new KeyvPostgres({ uri: url, table })
    const old = new Keyv({ store, namespace: 'views' })
    await old.setMany(Array.from({ length: 1_234 }, (_, n) => ({ key: `k${n}`, value: { n } })))
    await old.set('short', 'text', 600_000)
    await old.set('expired', 'text', 1)
    await new Keyv({ store, namespace: 'other' }).set('k', 1)
    await sleep(5)
    const stash = body.open()
    const ended = await runImport(...place(stash), '--strip-prefix', 'views:', '--namespace', 'views', '--batch', '100')
    expect(JSON.parse(ended.output)).toMatchObject({ read: 1_236, written: 1_235, skipped: { expired: 1 } })

    const keyv = new Keyv({ store: new KeyvPgStore(stash), namespace: 'views' })
    const keys = Array.from({ length: 1_234 }, (_, n) => `k${n}`)
    expect(await keyv.getMany(keys)).toEqual(keys.map((_, n) => ({ n })))
    expect(await keyv.get('short')).toBe('text')
    expect(await stash.namespace('views').ttl('short')).toBeGreaterThan(590_000)
    expect(await stash.namespace('views').ttl('k0')).toBeNull()
    await old.disconnect()
  })

  it('reads the columns of version 6', async () => {
    const expires = Date.now() + 600_000
    await body.sql(
      `create table ${table} (key varchar(255) not null, value text, namespace varchar(255), expires bigint)`,
    )
    await body.sql(`create unique index on ${table} (key, coalesce(namespace, ''))`)
    await body.sql(`insert into ${table} values
      ('a', '{"value":1,"expires":${expires}}', 'views', ${expires}), ('b', '{"value":2}', 'views', null), ('a', '{"value":3}', 'other', null),
      ('c', null, 'views', null), ('d', '{"value":4}', 'views', 1), ('', '{"value":5}', null, null), ('views:e', '{"value":6}', null, null)`)
    const stash = body.open()
    const { output } = await runImport(
      ...place(stash),
      '--strip-prefix',
      'views:',
      '--namespace',
      'views',
      '--batch',
      '1',
    )
    expect(JSON.parse(output)).toMatchObject({ read: 5, written: 3, skipped: { expired: 1, 'no-value': 1 } })
    const keyv = new Keyv({ store: new KeyvPgStore(stash), namespace: 'views' })
    expect(await keyv.getMany(['a', 'b', 'c', 'd', 'e'])).toEqual([1, 2, undefined, undefined, 6])
    expect(await stash.namespace('views').ttl('a')).toBeGreaterThan(590_000)

    const all = await runImport(...place(stash), '--namespace', 'all', '--match', '*a', '--batch', '1')
    expect(JSON.parse(all.output)).toMatchObject({ read: 2, written: 2 })
    expect(await stash.namespace('all').getMany(['views:a', 'other:a'])).toEqual([
      `{"value":1,"expires":${expires}}`,
      '{"value":3}',
    ])
    const every = await runImport(...place(stash), '--namespace', 'every', '--batch', '2')
    expect(JSON.parse(every.output)).toMatchObject({ read: 7, written: 5 })
  })

  it('goes on where it stopped, and keeps no key in the clear', async () => {
    const store = new KeyvPostgres({ uri: url, table })
    const old = new Keyv({ store, namespace: 'views' })
    await old.setMany(Array.from({ length: 5_000 }, (_, n) => ({ key: `secret${n}`, value: n })))
    await old.disconnect()
    const stash = body.open()
    const args = [...place(stash), '--namespace', 'views', '--batch', '10']
    const child = spawn('node', [main, 'import', '--yes', ...args], { stdio: 'ignore' })
    const end = once(child, 'close')
    while ((await stash.namespace('views').keys().next()).done) await sleep(5)
    child.kill('SIGINT')
    expect(await end).toEqual([1, null])
    const kept: unknown[] = []
    for await (const entry of stash.namespace('pgstash-import').entries()) kept.push(entry)
    expect(kept).toHaveLength(1)
    expect(JSON.stringify(kept)).not.toMatch(/secret|views/)
    const again = JSON.parse((await runImport(...args)).output)
    expect(again.readBefore).toBeGreaterThan(0)
    expect(again.read + again.readBefore).toBe(5_000)
    expect((await stash.stats()).live).toBe(5_000)
  })

  it('names the table that is not there', async () => {
    const ended = await runImport(...place(body.open()), '--namespace', 'views')
    expect(ended).toMatchObject({ code: 1, output: expect.stringMatching(/42P01.*does not exist/s) })
  })
})

describe('pgstash import, wrongly used', () => {
  const redis = ['--from', 'redis://127.0.0.1:1/0']

  it.each([
    ['without a source', ['--namespace', 'n'], '--from'],
    ['without a namespace', redis, '--namespace'],
    ['from elsewhere', ['--from', 'mysql://h', '--namespace', 'n'], 'no address of a source'],
    ['from PostgreSQL without a table', ['--from', 'postgres://h/d', '--namespace', 'n'], '--table is missing'],
    ['into an empty namespace', [...redis, '--namespace', ''], 'namespace must be'],
    ['into its own', [...redis, '--namespace', 'pgstash-import'], 'keep their progress'],
    ['for an empty tenant', [...redis, '--namespace', 'n', '--tenant', ''], 'tenant is empty'],
    ['into no PostgreSQL', [...redis, '--namespace', 'n', '--url', 'mysql://h'], 'no PostgreSQL address'],
    ['with no number', [...redis, '--namespace', 'n', '--batch', 'many'], 'whole number'],
    ['with values nobody knows', [...redis, '--namespace', 'n', '--values', 'yaml'], 'text, json, bytes'],
    ['from a table, of Redis', [...redis, '--namespace', 'n', '--table', 'keyv'], '--table is for PostgreSQL'],
    ['from no table', ['--from', 'postgres://h/d', '--namespace', 'n', '--table', 'a.b.c'], 'no name of a table'],
    ['with TLS and without', [...redis, '--namespace', 'n', '--redis-ca', main], '--redis-ca is for TLS'],
    ['with half a certificate', ['--from', 'rediss://h', '--namespace', 'n', '--redis-key', main], 'go together'],
    ['with no certificate', ['--from', 'rediss://h', '--namespace', 'n', '--redis-ca', main], 'no PEM file'],
    ['with a file that is not there', ['--from', 'rediss://h', '--namespace', 'n', '--redis-ca', '/none'], 'ENOENT'],
    ['from another database than two', ['--from', 'redis://h/1?db=2', '--namespace', 'n'], 'names two databases'],
    ['with a user of entries', [...redis, '--namespace', 'n', '--user-field', 'user'], '--user-field is for sessions'],
    ['with no field', [...redis, '--as', 'sessions', '--user-field', 'a..b'], 'names no field'],
    ['with sessions as JSON', [...redis, '--as', 'sessions', '--values', 'json'], '--values is for entries'],
    ['with sessions of a table', ['--from', 'postgres://h/d', '--as', 'sessions'], 'table of PgSessionStore uses it'],
    ['with an option nobody knows', [...redis, '--namespace', 'n', '--prefix', 'x'], 'unknown option'],
  ])('%s ends with 2', async (_, args, problem) => {
    expect(await runImport(...args)).toMatchObject({ code: 2, output: expect.stringContaining(problem) })
  })

  it('is refused as everywhere: in a line, as JSON too, and what is unknown first', async () => {
    const run = await pgstash(['import', '--prefix', 'x', '--json'])
    expect(run).toMatchObject({ code: 2, stderr: "ERR_PGSTASH_USAGE: unknown option '--prefix'\n" })
    expect(documentOf(run)).toEqual({ error: { code: 'ERR_PGSTASH_USAGE', message: "unknown option '--prefix'" } })
    const unasked = await pgstash(['import', ...redis, '--namespace', 'n'])
    expect(unasked).toMatchObject({ code: 2, stdout: '', stderr: expect.stringMatching(/^ERR_PGSTASH_USAGE: .*--yes/) })
    for (const flag of ['--yes', '--if-absent', '--dry-run'])
      expect((await pgstash(['import', ...redis, '--namespace', 'n', flag])).stderr).toMatch(
        /^ERR_PGSTASH_IMPORT_SOURCE: [^\n]*\n$/,
      )
  })

  it('names the client that is missing', async () => {
    const resolve = `export function resolve(name, context, next) {
      if (name === '@redis/client') throw new Error('no such package')
      return next(name, context)
    }`
    const hook = `import { register } from 'node:module'; register(${JSON.stringify(dataUrl(resolve))})`
    const ended = await runCommand('node', [
      '--import',
      dataUrl(hook),
      main,
      'import',
      '--yes',
      ...redis,
      '--namespace',
      'n',
    ])
    expect(ended).toMatchObject({ code: 1, output: expect.stringContaining('npm install @redis/client') })
  })

  it('explains itself', async () => {
    const { code, output } = await runImport('--help')
    expect(code).toBe(0)
    expect(output).toContain("--strip-prefix 'views::views:' --namespace views")
    expect(output).toContain('--values json --namespace cache')
  })
})

function dataUrl(script: string): string {
  return `data:text/javascript,${encodeURIComponent(script)}`
}
