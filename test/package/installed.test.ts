import { mkdtemp, readdir, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { runCommand } from '../support/processes'

const root = join(import.meta.dirname, '../..')

/** Every name of the public surface, by entry. */
const names = {
  pgstash: [
    'PgStash',
    'PgStashError',
    'TenantRequiredError',
    'Cache',
    'Tenant',
    'Sessions',
    'RateLimiter',
    'LoginLimiter',
    'rateLimitHeaders',
  ],
  'pgstash/keyv': ['KeyvPgStore', 'createKeyv'],
  'pgstash/cache-manager': ['pgStore', 'pgStore4', 'PgCacheManagerStore'],
  'pgstash/fastify-session': ['PgSessionStore'],
  'pgstash/express-rate-limit': ['PgRateLimitStore'],
  'pgstash/fastify-rate-limit': ['fastifyRateLimitStore'],
  'pgstash/nestjs-throttler': ['PgThrottlerStorage'],
  'pgstash/prometheus': ['prometheusText', 'prometheusContentType'],
  'pgstash/opentelemetry': ['observeStash'],
}

/** What a user's first lines do; `load` is the way they get at the package. */
const firstLines = `
const stash = new PgStash({ connectionString: process.env.URL, schema: process.env.SCHEMA })
const store = new KeyvPgStore(stash)
await store.set('k', 'v')
const cache = pgStore({ stash })
await cache.set('k', { n: 1 })
await new PgSessionStore({ stash }).set('s', { user: 'ada' })
await new PgRateLimitStore({ stash }).increment('ada')
console.log(await store.get('k'), JSON.stringify(await cache.get('k')))
await stash.close()`

const typed = `
import { PgStash, type PgStashOptions, type Entry, type Swept } from 'pgstash'
import { KeyvPgStore, createKeyv, type KeyvPgStoreOptions } from 'pgstash/keyv'
import { pgStore, PgCacheManagerStore, type PgCacheManagerOptions } from 'pgstash/cache-manager'
import { PgSessionStore, type PgSessionStoreOptions } from 'pgstash/fastify-session'
import { PgRateLimitStore } from 'pgstash/express-rate-limit'
import { fastifyRateLimitStore } from 'pgstash/fastify-rate-limit'
import { PgThrottlerStorage } from 'pgstash/nestjs-throttler'
import { LoginLimiter, RateLimiter, rateLimitHeaders, type RateLimitResult } from 'pgstash'
const options: PgStashOptions = { connectionString: 'postgres://localhost', ssl: { rejectUnauthorized: false } }
const stash = new PgStash(options)
export async function run(): Promise<void> {
  const entry: Entry<{ n: number }> | undefined = await stash.tenant(5).namespace('a', { version: 2 }).getEntry<{ n: number }>('k')
  const swept: Swept = await stash.sweep()
  const keyvOptions: KeyvPgStoreOptions = { tenant: () => 'a' }
  const managed: PgCacheManagerOptions = { stash, ttl: 5 }
  for await (const [key, value] of stash.namespace('a').entries<number>({ prefix: 'x' })) console.log(key, value + 1)
  class Keyv { constructor(readonly store: KeyvPgStore, readonly options?: { ttl?: number }) {} }
  const keyv: Keyv = createKeyv(Keyv, { stash, keyv: { ttl: 5 } })
  const left: number = await new PgCacheManagerStore(managed).ttl('k')
  const sessionOptions: PgSessionStoreOptions = { stash, userId: (session) => session.user as string }
  const result: RateLimitResult = await new RateLimiter({ stash, limit: 1, windowMs: 5 }).consume('k', { cost: 1 })
  await (await new LoginLimiter({ stash }).begin({ username: 'a', ip: 'b' })).succeed()
  const Store = fastifyRateLimitStore({ stash })
  console.log(rateLimitHeaders(result), new PgSessionStore(sessionOptions), new PgRateLimitStore({ stash }), new Store(), new PgThrottlerStorage({ stash }))
  console.log(entry?.value.n, swept.expired, new KeyvPgStore(stash, keyvOptions), await pgStore({ stash }).keys('a*'), keyv, left)
}
// @ts-expect-error no such option
new PgStash({ conectionString: 'typo' })
`

/** As users get it: packed, installed into an empty project, with no host library beside it. */
describe('the package', () => {
  let project: string

  beforeAll(async () => {
    project = await mkdtemp(join(tmpdir(), 'pgstash-package-'))
    await writeFile(join(project, 'package.json'), '{ "private": true }')
    const packed = await runCommand('npm', ['pack', '--ignore-scripts', '--pack-destination', project], { cwd: root })
    expect(packed.code, packed.output).toBe(0)
    const [tarball] = (await readdir(project)).filter((name) => name.endsWith('.tgz')) as [string]
    const installed = await runCommand(
      'npm',
      ['install', '--prefer-offline', '--no-audit', '--no-fund', `./${tarball}`],
      { cwd: project },
    )
    expect(installed.code, installed.output).toBe(0)
    // The compiler's own library of types, which every TypeScript project on Node has.
    await symlink(join(root, 'node_modules/@types'), join(project, 'node_modules/@types'))
  }, 180_000)

  afterAll(() => rm(project, { recursive: true, force: true }))

  const env = (schema: string) => ({ URL: inject('postgresUrl'), SCHEMA: schema })

  it('brings no host library along', async () => {
    const installed = await readdir(join(project, 'node_modules'))
    expect(installed).not.toEqual(expect.arrayContaining(['keyv']))
    expect(installed).not.toEqual(expect.arrayContaining(['cache-manager']))
  })

  it('holds what it says, and no sources', async () => {
    const files = await readdir(join(project, 'node_modules/pgstash'))
    expect(files.sort()).toEqual([
      'ARCHITECTURE.md',
      'CHANGELOG.md',
      'CONTRIBUTING.md',
      'LICENSE',
      'README.md',
      'SECURITY.md',
      'bench',
      'dist',
      'docs',
      'examples',
      'package.json',
      'sql',
    ])
  })

  it('works by import', async () => {
    const imports = Object.entries(names).map(([entry, own]) => `import { ${own.join(', ')} } from '${entry}'`)
    await writeFile(join(project, 'run.mjs'), `${imports.join('\n')}\n${firstLines}`)
    const ended = await runCommand('node', ['run.mjs'], { cwd: project, env: env('by_import') })
    expect(ended).toEqual({ code: 0, output: 'v {"n":1}\n' })
  })

  it('works by require', async () => {
    const requires = Object.entries(names).map(([entry, own]) => `const { ${own.join(', ')} } = require('${entry}')`)
    await writeFile(join(project, 'run.cjs'), `${requires.join('\n')}\n;(async () => {${firstLines}})()`)
    const ended = await runCommand('node', ['run.cjs'], { cwd: project, env: env('by_require') })
    expect(ended).toEqual({ code: 0, output: 'v {"n":1}\n' })
  })

  it('lets a stash made by import serve a store got by require', async () => {
    const script = `import { createRequire } from 'node:module'
      import { PgStash } from 'pgstash'
      const { KeyvPgStore } = createRequire(import.meta.url)('pgstash/keyv')
      const stash = new PgStash({ connectionString: process.env.URL, schema: process.env.SCHEMA })
      const store = new KeyvPgStore(stash)
      await store.set('k', 'mixed')
      console.log(await store.get('k'))
      await stash.close()`
    await writeFile(join(project, 'mixed.mjs'), script)
    expect(await runCommand('node', ['mixed.mjs'], { cwd: project, env: env('mixed') })).toEqual({
      code: 0,
      output: 'mixed\n',
    })
  })

  it.each([
    ['node16', 'node16', 'mts'],
    ['node16', 'node16', 'cts'],
    ['bundler', 'esnext', 'ts'],
  ])('has types under moduleResolution %s (%s, .%s)', async (moduleResolution, module, extension) => {
    const file = `typed.${extension}`
    await writeFile(join(project, file), typed)
    const compiler = join(root, 'node_modules/typescript/bin/tsc')
    // No skipLibCheck: our own declarations are checked too.
    const flags = ['--noEmit', '--strict', '--target', 'es2022', '--lib', 'es2022,esnext.disposable', '--types', 'node']
    const ended = await runCommand(
      'node',
      [compiler, ...flags, '--module', module, '--moduleResolution', moduleResolution, file],
      {
        cwd: project,
      },
    )
    expect(ended).toEqual({ code: 0, output: '' })
  })

  it("extends express-session's own Store, by import and by require, where that is installed", async () => {
    await symlink(join(root, 'node_modules/express-session'), join(project, 'node_modules/express-session'))
    const check = `
const store = new PgSessionStore({ connectionString: process.env.URL, schema: process.env.SCHEMA })
await store.set('s', { user: 'ada', cookie: {} })
console.log(store instanceof session.Store, (await store.get('s')).user)
await store.close()`
    await writeFile(
      join(project, 'session.mjs'),
      `import session from 'express-session'\nimport { PgSessionStore } from 'pgstash/express-session'\n${check}`,
    )
    await writeFile(
      join(project, 'session.cjs'),
      `const session = require('express-session')\nconst { PgSessionStore } = require('pgstash/express-session')\n;(async () => {${check}})()`,
    )
    for (const file of ['session.mjs', 'session.cjs']) {
      const ended = await runCommand('node', [file], { cwd: project, env: env(`by_${file.replace('.', '_')}`) })
      expect(ended).toEqual({ code: 0, output: 'true ada\n' })
    }
  })

  it('has a command line', async () => {
    const printed = await runCommand('npx', ['--no-install', 'pgstash', 'migrate', '--print'], { cwd: project })
    expect(printed.code).toBe(0)
    expect(printed.output).toContain('create table "pgstash".entry')
    const url = inject('postgresUrl')
    const migrate = () =>
      runCommand('npx', ['--no-install', 'pgstash', 'migrate', '--url', url, '--schema', 'by_cli'], { cwd: project })
    expect((await migrate()).output).toMatch(/^Applied 0001_tables, /)
    expect((await migrate()).output).toBe('The schema is current.\n')
    const failed = await runCommand('npx', ['--no-install', 'pgstash', 'migrate', '--url', 'mysql://x'], {
      cwd: project,
    })
    expect(failed).toEqual({ code: 2, output: expect.stringMatching(/^ERR_PGSTASH_INVALID_ARGUMENT: /) })
  })
})
