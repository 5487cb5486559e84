import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { createClient } from 'redis-client-6'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { fencesOf } from '../../build/docs/page'
import { freshSchema } from '../support/bodies'
import { runCommand, runNode } from '../support/processes'
import { hasRedisServer, type Redis, startRedisServer } from '../support/servers/redis'

const root = join(import.meta.dirname, '../..')

/** The blocks of one language under a heading of a page. */
function blocksOf(page: string, heading: string, languages: readonly string[]): string[] {
  const path = `docs/moving/${page}.md`
  const text = readFileSync(join(root, path), 'utf8')
  const level = heading.split(' ')[0]?.length as number
  const [, under] = text.split(`\n${heading}\n`)
  expect(under, `${path}: ${heading}`).toBeDefined()
  const section = (under as string).split(new RegExp(`^#{1,${level}} `, 'm'))[0] as string
  return fencesOf({ path, text: section })
    .filter(({ language }) => languages.includes(language))
    .map(({ code }) => code)
}

/** A Redis that closes while it is asked is no error of the test. */
const clientOf = (url: string) => createClient({ url }).on('error', () => {})

/** Every move as its page tells it, from the code before to the code after and back: with a Redis, and a database of its own. */
describe.runIf(hasRedisServer)('moving, as the pages tell it', () => {
  const database = freshSchema()
  const url = inject('postgresUrl').replace(/\/[^/?]*(\?|$)/, `/${database}$1`)
  const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
  const pool = new pg.Pool({ connectionString: url, max: 1 })
  let redis: Redis
  let client: ReturnType<typeof clientOf>

  beforeAll(async () => {
    await admin.query(`create database ${database}`)
    redis = await startRedisServer()
    client = clientOf(redis.url)
    await client.connect()
  })

  afterAll(async () => {
    client?.destroy()
    await redis?.close()
    await pool.end()
    await admin.query(`drop database ${database} with (force)`)
    await admin.end()
  })

  /** The addresses of this test, and this repository's names of the hosts' versions, in the place of those of the page. */
  const here = (code: string) =>
    code
      .replaceAll(/redis:\/\/localhost:6379(\/0)?/g, redis.url)
      .replaceAll('postgres://localhost/app', url)
      .replaceAll(
        "from 'cache-manager'",
        code.includes('createCache') ? "from 'cache-manager7'" : "from 'cache-manager5'",
      )

  /** What a page leaves to the application. */
  const given = (code: string) =>
    [
      `const secret = 'of the test'`,
      code.includes('client') &&
        `const client = await (await import('redis-client-6')).createClient({ url: '${redis.url}' }).connect()`,
      /\bpool\b/.test(code) && `const pool = new (await import('pg')).default.Pool({ connectionString: '${url}' })`,
      /\bapp\b/.test(code) && !code.includes('const app') && `const app = (await import('express')).default()`,
      code.includes('stash') &&
        !code.includes('const stash') &&
        `const stash = new (await import('pgstash')).PgStash('${url}')`,
    ]
      .filter(Boolean)
      .join('\n')

  /** Runs the first block of code under a heading, and then what the test does with it. */
  async function run(page: string, heading: string, then = ''): Promise<string> {
    const [block] = blocksOf(page, heading, ['js', 'ts'])
    const code = here(block as string)
    const script = `${given(code)}\n{\n${code.replaceAll(/^import .*$/gm, '')}\n${then}\n}\nprocess.exit(0)`
    const imports = (code.match(/^import .*$/gm) ?? []).join('\n')
    const { code: exit, output } = await runNode(`${imports}\n${script}`, { DATABASE_URL: url })
    expect(exit, `${page}, ${heading}: ${output}`).toBe(0)
    return output.trim()
  }

  /** Runs the import commands under a heading. */
  async function importAs(page: string, heading: string): Promise<void> {
    const commands = blocksOf(page, heading, ['sh']).join('\n').replaceAll('\\\n', ' ').split('\n')
    for (const command of commands.filter((line) => line.startsWith('npx pgstash import'))) {
      const line = here(command).replace('npx pgstash', `"${process.execPath}" dist/cli/main.js`)
      const { code, output } = await runCommand('sh', ['-c', line], { env: { DATABASE_URL: url } })
      expect(code, `${command}: ${output}`).toBe(0)
    }
  }

  const told = (expression: string) => `console.log(JSON.stringify(${expression}))`

  it('@keyv/redis', async () => {
    await client.flushDb()
    const [set, get] = [`await users.set('1', { name: 'Ada' }, 600_000)`, told(`await users.get('1')`)]
    await run('keyv-redis', '## Before', set)
    await importAs('keyv-redis', '## Carrying the data over')
    expect(await run('keyv-redis', '## After', get)).toBe('{"name":"Ada"}')
    await client.flushDb()
    await run('keyv-redis', '## Going back')
    expect(await run('keyv-redis', '## Before', get)).toBe('{"name":"Ada"}')
    expect(await client.pTTL('users::users:1')).toBeGreaterThan(0)
  }, 60_000)

  it('@keyv/postgres', async () => {
    const [set, get] = [`await posts.set('1', { title: 'On engines' })`, told(`await posts.get('1')`)]
    await run('keyv-postgres', '## Before', set)
    await importAs('keyv-postgres', '## Carrying the data over')
    expect(await run('keyv-postgres', '## After', get)).toBe('{"title":"On engines"}')
    await pool.query('truncate keyv')
    await pool.query(blocksOf('keyv-postgres', '## Going back', ['sql'])[0] as string)
    expect(await run('keyv-postgres', '## Before', get)).toBe('{"title":"On engines"}')
  }, 60_000)

  it("cache-manager's Redis stores", async () => {
    await client.flushDb()
    // As those stores write it.
    await client.set('user:1', '{"name":"Ada"}', { PX: 600_000 })
    await importAs('cache-manager', '### Carrying the data over')
    expect(await run('cache-manager', '## cache-manager 5', told(`await cache.get('user:1')`))).toBe('{"name":"Ada"}')
    await client.flushDb()
    await run('cache-manager', '### Going back')
    expect(await client.get('user:1')).toBe('{"name":"Ada"}')
    expect(await client.pTTL('user:1')).toBeGreaterThan(0)
  }, 60_000)

  it('cache-manager 6 and 7, with a Keyv', async () => {
    await client.flushDb()
    const [set, get] = [`await cache.set('user:1', { name: 'Ada' })`, told(`await cache.get('user:1')`)]
    await run('cache-manager', '### Before, with 6 and 7', set)
    await importAs('cache-manager', '### Carrying the data of a Keyv over')
    expect(await run('cache-manager', '### After, with 6 and 7', get)).toBe('{"name":"Ada"}')
  }, 60_000)

  /** How often somebody was here, by his session; at his first visit the answer has the cookie too. */
  const visit = (cookie: string) => `
    app.get('/', (req, res) => res.send(String(req.session.visits = (req.session.visits ?? 0) + 1)))
    const server = app.listen(0)
    const answer = await fetch('http://127.0.0.1:' + server.address().port, { headers: { cookie: '${cookie}' } })
    console.log(await answer.text(), answer.headers.get('set-cookie') ?? '')`

  const cookieOf = (answer: string) => /connect\.sid=[^;]+/.exec(answer)?.[0] as string

  it('connect-redis', async () => {
    await client.flushDb()
    const first = await run('connect-redis', '## Before', visit(''))
    await importAs('connect-redis', '## Carrying the sessions over')
    expect(await run('connect-redis', '## After', visit(cookieOf(first)))).toBe('2')
    await client.flushDb()
    await run('connect-redis', '## Going back')
    expect(await run('connect-redis', '## Before', visit(cookieOf(first)))).toBe('3')
  }, 60_000)

  it('connect-pg-simple', async () => {
    await pool.query(readFileSync(join(root, 'node_modules/connect-pg-simple/table.sql'), 'utf8'))
    const first = await run('connect-pg-simple', '## Before', visit(''))
    const cookie = cookieOf(first)
    expect(await run('connect-pg-simple', '## After, on the same table', visit(cookie))).toBe('2')
    expect(await run('connect-pg-simple', '## Before', visit(cookie))).toBe('3')
    await run('connect-pg-simple', '## After, on a table of its own')
    expect(await run('connect-redis', '## After', visit(cookie))).toBe('4')
    await run('connect-pg-simple', '## Going back')
    expect(await run('connect-pg-simple', '## Before', visit(cookie))).toBe('5')
  }, 60_000)

  it.each([
    ['rate-limit-redis', '## Before', '/'],
    ['rate-limit-redis', '## After', '/'],
    ['rate-limiter-flexible', '## Before', '/search'],
    ['rate-limiter-flexible', '## After', '/search'],
  ])(
    '%s, %s: 100 of 101 come through',
    async (page, heading, path) => {
      const crowd = `
      app.get('/', (req, res) => res.send('found'))
      const server = app.listen(0)
      const url = 'http://127.0.0.1:' + server.address().port + '${path}'
      const answers = await Promise.all(Array.from({ length: 101 }, async () => (await fetch(url)).status))
      console.log(answers.filter((status) => status === 200).length, answers.filter((status) => status === 429).length)`
      expect(await run(page, heading, crowd)).toBe('100 1')
    },
    60_000,
  )
})
