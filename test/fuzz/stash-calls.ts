import fc from 'fast-check'
import { ConnectSessionTable } from '../../src/postgres/sessions/connect-table'
import { PgStash } from '../../src/stash/pg-stash'
import { callOptions, type FuzzedCall, fuzzed, isAnything, isNothing, keys, ttls } from './fuzzed-call'
import { mostly, nasty, nastyButText, nastyNumbers, nastyStrings } from './nasty'
import { among, objectOf, oneOf, type Recipe } from './recipe'
import type { World } from './world'

const names = mostly(among('k', 'views', 'a b', '%', 5), fc.oneof(nasty, nastyStrings))
const namespaceOptions = mostly(objectOf({ version: mostly(among(1, 2, undefined), nastyNumbers), ttl: ttls }))
const numbers = (...good: unknown[]) => mostly(among(...good, undefined), fc.oneof(nasty, nastyNumbers))
const flags = mostly(among(true, false, undefined))

const addresses = mostly(
  fc.oneof(
    oneOf({ 'the address': ({ body }) => body.connection().connectionString }),
    among(
      'postgres://',
      'postgres://%',
      'postgres://127.0.0.1:99999/x',
      'postgres://u%00@127.0.0.1:1/x',
      'postgresql://[::1/x',
    ),
    among(
      'socket:',
      'postgres://u@127.0.0.1:1/x?sslmode=nonsense',
      'postgres://u@127.0.0.1:1/x?sslrootcert=/nowhere',
      'mysql://h/x',
    ),
  ),
)

const poolFields: Record<string, fc.Arbitrary<Recipe>> = {
  host: mostly(among('127.0.0.1', undefined), nastyButText),
  port: numbers(1),
  user: mostly(among('postgres')),
  database: mostly(among('postgres')),
  password: mostly(among('secret')),
  ssl: mostly(among(false, undefined)),
  max: numbers(1, 2),
  idleTimeoutMillis: numbers(1_000),
  application_name: mostly(among('fuzz')),
}

const pools = mostly(
  oneOf({
    'a pool whose connect throws': () => ({ query: fail, connect: fail }),
    'a pool whose connect answers nothing': () => ({ query: async () => {}, connect: async () => {} }),
    undefined: () => undefined,
  }),
)

function fail(): never {
  throw Object.assign(new Error('no connection today'), { code: 'ECONNREFUSED' })
}

const stashFields: Record<string, fc.Arbitrary<Recipe>> = {
  schema: mostly(oneOf({ 'the schema': ({ stash }) => stash.schema })),
  unlogged: flags,
  loggedCounters: flags,
  isolation: mostly(among('column', 'rls', undefined)),
  maintenance: addresses,
  quota: mostly(objectOf({ maxEntries: numbers(1_000), maxBytes: numbers(1_000) })),
  onError: mostly(among('throw', 'miss', undefined)),
  maxValueBytes: numbers(1_000),
  batch: mostly(objectOf({ maxRows: numbers(10), maxBytes: numbers(1_000) })),
  breaker: mostly(objectOf({ failures: numbers(1), cooldownMs: numbers(1) })),
}

/** What a pool of our own was told goes to `pg`, which may find no server by it. */
const outages = ['CONNECTION', 'TIMEOUT', 'CIRCUIT_OPEN']

/** Quick to give up, and never a maker of schemas. */
async function openAndClose(options: object): Promise<void> {
  const stash = new PgStash({ ...options, migrate: false, timeoutMs: 1_000 })
  try {
    await stash.ready()
  } finally {
    await stash.close()
  }
}

/** On a stash of its own: what breaks a connection would keep the others from being closed. */
async function grantAndClose({ body, stash }: World, role: never): Promise<void> {
  const own = new PgStash({ ...body.connection(), schema: stash.schema, migrate: false, max: 1 })
  try {
    await own.grantTo(role)
  } finally {
    await own.close()
  }
}

const construction = { throws: true, allowed: outages }

export const stashCalls: readonly FuzzedCall[] = [
  fuzzed(
    'new PgStash',
    [
      mostly(
        fc.oneof(objectOf({ ...stashFields, ...poolFields, pool: pools, connectionString: addresses }), addresses),
      ),
    ],
    (_, options) => new PgStash(options).close(),
    isNothing,
    construction,
  ),
  ...['connectionString', ...Object.keys(stashFields)].map((field) => {
    const connected = { connectionString: oneOf({ 'the address': ({ body }) => body.connection().connectionString }) }
    const fields = { ...connected, [field]: field === 'connectionString' ? addresses : (stashFields[field] as never) }
    return fuzzed(
      `new PgStash({ ${field} }).ready`,
      [whole(fields)],
      (_, options) => openAndClose(options),
      isNothing,
      construction,
    )
  }),
  ...Object.entries(poolFields).map(([field, values]) =>
    fuzzed(
      `new PgStash({ ${field} }).ready`,
      [whole({ [field]: values })],
      (_, options) => openAndClose(options),
      isNothing,
      construction,
    ),
  ),
  fuzzed('new PgStash({ pool }).ready', [whole({ pool: pools })], (_, options) => openAndClose(options), isNothing, {
    ...construction,
    allowed: [...outages, 'DATABASE'],
  }),
  fuzzed(
    'new PgStash({ pglite })',
    [whole({ pglite: nasty })],
    (_, options) => new PgStash(options),
    (_, [options]) => (options as { pglite: unknown }).pglite === undefined,
    construction,
  ),
  fuzzed('PgStash.tenant', [names], ({ stash }, name) => stash.tenant(name).namespace('k').get('k'), isAnything, {
    throws: true,
  }),
  fuzzed(
    'PgStash.namespace',
    [names, namespaceOptions],
    ({ stash }, name, options) => stash.namespace(name, options).set('k', 1),
    isAnything,
    { throws: true },
  ),
  fuzzed(
    'PgStash.connectTable',
    [mostly(objectOf({ schema: mostly(among('public')), table: mostly(among('none')) }))],
    ({ stash }, name) => void stash.connectTable(name, ConnectSessionTable),
    isAnything,
    { throws: true },
  ),
  fuzzed('PgStash.grantTo', [nasty], grantAndClose, isNothing, { allowed: ['DATABASE'] }),
  fuzzed(
    'Tenant.namespace',
    [names, namespaceOptions],
    ({ stash }, name, options) => stash.tenant('k').namespace(name, options).set('k', 1),
    isAnything,
    { throws: true },
  ),
  fuzzed('Tenant.stats', [nasty], ({ stash }, ...extra) => stash.tenant('k').stats(...(extra as []))),
  fuzzed('Tenant.clear', [callOptions], ({ stash }, options) => stash.tenant('cleared').clear(options), isNothing),
  fuzzed('tenant and namespace, set and get', [names, names, keys], async ({ stash }, tenant, namespace, key) => {
    const cache = stash.tenant(tenant).namespace(namespace)
    await cache.set(key, [tenant, namespace])
    return cache.get(key)
  }),
]

function whole(fields: Record<string, fc.Arbitrary<Recipe>>): fc.Arbitrary<Recipe> {
  return objectOf(fields, Object.keys(fields))
}
