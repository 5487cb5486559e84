import ts from 'typescript'
import { generatedNote } from './generated-note'
import { missing, type Option, optionsOf } from './options'
import type { PublicName, Surface } from './surface'

/** Whom people make, by the name of what they pass: the first table. The options of all other names that end in `Options` are those of a call. */
const holders: Readonly<Record<string, string>> = {
  'pgstash: PgStashOptions': '`PgStash`',
  'pgstash: MaintenanceConnection': '`maintenance`',
  'pgstash/keyv: KeyvPgStoreOptions': '`KeyvPgStore`',
  'pgstash/keyv: CreateKeyvOptions': '`createKeyv`',
  'pgstash/cache-manager: PgCacheManagerOptions': '`pgStore`, `pgStore4`, `PgCacheManagerStore`',
  'pgstash: SessionsOptions': '`Sessions`',
  'pgstash/express-session: PgSessionStoreOptions': '`PgSessionStore` (express-session)',
  'pgstash/fastify-session: PgSessionStoreOptions': '`PgSessionStore` (fastify-session)',
  'pgstash: LimiterOptions': 'every limiter',
  'pgstash: RateLimiterOptions': '`RateLimiter`',
  'pgstash: LoginLimiterOptions': '`LoginLimiter`',
  'pgstash/express-rate-limit: PgRateLimitStoreOptions': '`PgRateLimitStore`',
  'pgstash/fastify-rate-limit: FastifyRateLimitStoreOptions': '`fastifyRateLimitStore`',
  'pgstash/nestjs-throttler: PgThrottlerStorageOptions': '`PgThrottlerStorage`',
}

/** What the declaration of a store does not say of itself, for it is the type of its argument that does. */
const alsoTaken: Readonly<Record<string, readonly string[]>> = {
  'pgstash/keyv: KeyvPgStoreOptions': ['PgStashOptions'],
  'pgstash/keyv: CreateKeyvOptions': ['KeyvPgStoreOptions', 'PgStashOptions'],
}

/** As `takenBy` calls them. */
const shortNames: Readonly<Record<string, string>> = {
  PgPoolOptions: 'the options of a connection',
  PgStashOptions: 'those of `PgStash`',
  SessionsOptions: 'those of `Sessions`',
  LimiterOptions: 'those of every limiter',
  KeyvPgStoreOptions: 'those of `KeyvPgStore`',
}

/** The page of all options, and what their docstrings do not say. */
export function optionsPage(surface: Surface): { readonly text: string; readonly faults: readonly string[] } {
  const keyOf = ({ entry, name }: PublicName) => `${entry}: ${name}`
  const known = new Map(surface.names.map((name) => [keyOf(name), name]))
  const faults = Object.keys(holders)
    .filter((key) => !known.has(key))
    .map((key) => `${key} is in options-page.ts, and not exported`)
  const held = Object.entries(holders).flatMap(([key, of]) => optionsOf(known.get(key), of, surface))
  const called = surface.names
    .filter((name) => /(Options|^Quota)$/.test(name.name) && holders[keyOf(name)] === undefined)
    .flatMap((name) => optionsOf(name, `\`${name.name}\``, surface))
  const all = [...held, ...called]
  return { text: pageOf(held, called, surface), faults: [...faults, ...all.flatMap(missing)] }
}

function pageOf(held: readonly Option[], called: readonly Option[], surface: Surface): string {
  return [
    '---',
    'aside: false',
    'pageClass: wide',
    '---',
    '',
    '# Options',
    '',
    generatedNote('the types and their docstrings'),
    '',
    'All times are milliseconds. An option that is not known, or that will not do, is refused by name before anything is opened. A connection string may stand in the place of the options of a stash.',
    '',
    '## Who takes which',
    '',
    ...Object.entries(holders).map(
      ([key, of]) =>
        `- ${of}${key.startsWith('pgstash:') ? '' : ` of \`${key.split(':')[0]}\``}: ${takenBy(key, surface)}`,
    ),
    '',
    'A store takes either `stash`, a stash to share, or connection options of its own, which open one; stores with the same options share it.',
    '',
    '## The stash and the stores',
    '',
    ...tableOf(held),
    '',
    '## Calls, and parts of options',
    '',
    ...tableOf(called),
    '',
  ].join('\n')
}

/** Its own, and those that the declaration takes from others. */
function takenBy(key: string, { names }: Surface): string {
  const [entry, name] = key.split(': ')
  const found = names.find((one) => one.entry === entry && one.name === name)
  const bases = found?.declarations.flatMap((node) => (ts.isInterfaceDeclaration(node) ? basesOf(node) : [])) ?? []
  return ['its own', ...bases, ...(alsoTaken[key] ?? []).map(shortNameOf)].join(', ')
}

function basesOf(node: ts.InterfaceDeclaration): string[] {
  return (node.heritageClauses ?? [])
    .flatMap(({ types }) => types.map((type) => type.getText()))
    .map((text) => {
      const [, base, without] = /^Omit<(\w+), '(\w+)'>$/.exec(text) ?? []
      return base === undefined ? shortNameOf(text) : `${shortNameOf(base)} but \`${without}\``
    })
}

function shortNameOf(type: string): string {
  return shortNames[type] ?? `those of \`${type}\``
}

function tableOf(options: readonly Option[]): string[] {
  const cell = (text: string) => text.replaceAll('|', '\\|')
  const rows = options.map(({ of, name, type, standard, unit, text }) =>
    [`\`${name}\``, of, `\`${type}\``, standard, unit, text].map(cell).join(' | '),
  )
  return [
    '| option | of | type | default | unit | |',
    '| --- | --- | --- | --- | --- | --- |',
    ...rows.map((row) => `| ${row} |`),
  ]
}
