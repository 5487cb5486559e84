import type { Cache } from '../entries/cache'
import type { PgStash } from '../pg-stash'
import { type Round, unless } from './round'

/** Long enough that a slow machine sees the entry before it is gone. */
const briefMs = 500

const cannotClear =
  'it leaves a row in "namespace", which this role may not delete, nor need to; run it as the owner of the tables'

/** The verbs of entries, each with what it must answer. */
export function entryRounds(stash: PgStash, tenant: string, mayClear: boolean): Round[] {
  const cache = stash.tenant(tenant).namespace('entries')
  return [
    { step: 'set and get', run: () => valuesReturn(cache) },
    { step: 'setMany and getMany of 1,000', run: () => manyReturn(cache) },
    { step: '100 increments at once', run: () => sumsAreExact(cache) },
    { step: 'add and compareAndSet', run: () => versionsHold(cache) },
    { step: 'expiry and touch', run: () => expires(cache) },
    { step: 'keys, take and deleteByPrefix', run: () => deletes(cache) },
    {
      step: 'another tenant sees nothing',
      run: async () => unless(await stranger(stash, tenant).get('text'), undefined),
    },
    { step: 'clear', run: () => clears(cache), leftOut: mayClear ? undefined : cannotClear },
    { step: 'delete', run: () => deletesAll(cache) },
  ]
}

const samples: Readonly<Record<string, unknown>> = {
  text: 'a “text” — ✓',
  number: 42,
  nothing: null,
  data: { list: [1, 2.5, 'x'], deep: { yes: true } },
}

async function valuesReturn(cache: Cache): Promise<string | undefined> {
  for (const [key, value] of Object.entries(samples)) await cache.set(key, value)
  const got: Record<string, unknown> = {}
  for (const key of Object.keys(samples)) got[key] = await cache.get(key)
  await cache.set('bytes', Buffer.from([0, 255]))
  return unless(got, samples) ?? unless(await cache.get('bytes'), Buffer.from([0, 255]))
}

const manyKeys = Array.from({ length: 1_000 }, (_, at) => `many:${at}`)

async function manyReturn(cache: Cache): Promise<string | undefined> {
  const entries = manyKeys.map((key, at) => ({ key, value: at }))
  await cache.setMany(entries)
  const values = await cache.getMany(manyKeys)
  return unless(
    values,
    entries.map(({ value }) => value),
  )
}

async function sumsAreExact(cache: Cache): Promise<string | undefined> {
  const sums = await Promise.all(Array.from({ length: 100 }, () => cache.increment('sum')))
  return unless(new Set(sums).size, 100) ?? unless(await cache.get('sum'), 100)
}

async function versionsHold(cache: Cache): Promise<string | undefined> {
  const added = [await cache.add('once', 1), await cache.add('once', 2)]
  const { version } = (await cache.getEntry('once')) as { version: number }
  const first = await cache.compareAndSet('once', version, 3)
  const second = await cache.compareAndSet('once', version, 4)
  return unless([added, first.ok, second.ok, await cache.get('once')], [[true, false], true, false, 3])
}

async function expires(cache: Cache): Promise<string | undefined> {
  await cache.setMany([
    { key: 'brief', value: 1, ttl: briefMs },
    { key: 'kept', value: 1, ttl: briefMs },
  ])
  const isTouched = await cache.touch('kept', 60_000)
  const left = (await cache.ttl('kept')) ?? 0
  await new Promise((resolve) => setTimeout(resolve, briefMs + 20))
  const after = await cache.hasMany(['brief', 'kept'])
  return unless([isTouched, left > briefMs, after], [true, true, [false, true]])
}

async function deletes(cache: Cache): Promise<string | undefined> {
  const keys: string[] = []
  for await (const key of cache.keys({ prefix: 'many:99' })) keys.push(key)
  const taken = [await cache.take('number'), await cache.take('number')]
  const deleted = await cache.deleteByPrefix('many:')
  return unless([keys.length, taken, deleted], [11, [42, undefined], 1_000])
}

async function clears(cache: Cache): Promise<string | undefined> {
  await cache.clear()
  await cache.set('after', 1)
  return unless([await cache.has('text'), await cache.has('after')], [false, true])
}

const loneKeys = [...Object.keys(samples), 'bytes', 'sum', 'once', 'brief', 'kept', 'after']

async function deletesAll(cache: Cache): Promise<string | undefined> {
  await cache.deleteMany(loneKeys)
  return unless(
    await cache.hasMany(loneKeys),
    loneKeys.map(() => false),
  )
}

/** All that any step may have left, for a test that was stopped or failed half-way. */
export async function forgetEntries(stash: PgStash, tenant: string): Promise<void> {
  await stash
    .tenant(tenant)
    .namespace('entries')
    .deleteMany([...loneKeys, ...manyKeys])
}

function stranger(stash: PgStash, tenant: string): Cache {
  return stash.tenant(`${tenant}-other`).namespace('entries')
}
