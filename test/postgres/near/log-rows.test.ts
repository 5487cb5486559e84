import { beforeAll, describe, expect, it } from 'vitest'
import { addressOf } from '../../../src/coalescing/address'
import { storedKey } from '../../../src/entry/key'
import type { Cache } from '../../../src/stash/entries/cache'
import type { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import type { Tenant } from '../../../src/stash/tenant'
import { describeBodies, freshSchema } from '../../support/bodies'
import { openLog } from './open-log'
import { keyDigest, namespaceDigest, tenantDigest } from './plain-digests'

const place = (namespace: string) => addressOf('acme', namespace)
const long = 'long'.repeat(400)
const keysOf = (namespace: string, ...keys: string[]) =>
  `k ${keys.map((key) => keyDigest(place(namespace), storedKey(key).key)).sort()}`
const near = (...keys: string[]) => keysOf('near', ...keys)
const sessionsOf = (...ids: string[]) =>
  `k ${ids.map((id) => keyDigest(addressOf('acme', 'sess', 'session'), id)).sort()}`

interface Hands {
  readonly stash: PgStash
  readonly tenant: Tenant
  readonly near: Cache
  readonly plain: Cache
  readonly sessions: Sessions
}

type Step = (hands: Hands) => unknown
type Case = readonly [verb: string, run: Step, expected: readonly string[], before?: Step]

const cookie = () => ({ originalMaxAge: 600_000, expires: new Date(Date.now() + 600_000) })

/** What a verb logs, by what it changed: nothing where it changed nothing, or where nobody may hold what it changed. */
const cases: readonly Case[] = [
  ['set', ({ near }) => near.set('a', 1), [near('a')]],
  ['set of a key that is no ASCII', ({ near }) => near.set('clé — 鍵', 1), [near('clé — 鍵')]],
  ['set of a key stored by digest', ({ near }) => near.set(long, 1), [near(long)]],
  ['sets of one key, un-awaited', ({ near }) => Promise.all([near.set('a', 1), near.set('a', 2)]), [near('a')]],
  ['setMany', ({ near }) => near.setMany(some('a', 'b', 'c')), [near('a', 'b', 'c')]],
  [
    'sets of several namespaces, of which one is marked',
    ({ near, plain }) => Promise.all([near.set('a', 1), plain.set('a', 1), near.set('b', 1), plain.set('c', 1)]),
    [near('a', 'b')],
  ],
  ['add', ({ near }) => near.add('new', 1), [near('new')], ({ near }) => near.delete('new')],
  ['add that finds the key', ({ near }) => near.add('a', 2), [], ({ near }) => near.set('a', 1)],
  [
    'adds, of which one finds the key',
    ({ near }) => Promise.all([near.add('a', 2), near.add('new', 2)]),
    [near('new')],
    async ({ near }) => [await near.set('a', 1), await near.delete('new')],
  ],
  [
    'compareAndSet',
    async ({ near }) => near.compareAndSet('a', (await near.getEntry('a'))?.version as number, 2),
    [near('a')],
    ({ near }) => near.set('a', 1),
  ],
  ['compareAndSet that lost', ({ near }) => near.compareAndSet('a', 1, 2), [], ({ near }) => near.set('a', 1)],
  ['compareAndSet of nothing', ({ near }) => near.compareAndSet('none', 1, 2), []],
  ['increment', ({ near }) => near.increment('n'), [near('n')]],
  ['increments', ({ near }) => Promise.all([near.increment('n'), near.increment('m')]), [near('m', 'n')]],
  [
    'increment of what is no integer',
    ({ near }) => near.increment('text').catch(() => {}),
    [],
    ({ near }) => near.set('text', 'x'),
  ],
  ['touch', ({ near }) => near.touch('a', 60_000), [near('a')], ({ near }) => near.set('a', 1)],
  ['touch of nothing', ({ near }) => near.touch('none', 60_000), []],
  ['take', ({ near }) => near.take('a'), [near('a')], ({ near }) => near.set('a', 1)],
  ['take of nothing', ({ near }) => near.take('none'), []],
  ['delete', ({ near }) => near.delete('a'), [near('a')], ({ near }) => near.set('a', 1)],
  ['delete of nothing', ({ near }) => near.delete('none'), []],
  ['delete of what is expired', ({ near }) => near.delete('old'), [], ({ near }) => near.set('old', 1, { ttl: 1 })],
  [
    'delete of what was cleared',
    ({ near }) => near.delete('a'),
    [],
    async ({ near }) => [await near.set('a', 1), await near.clear()],
  ],
  [
    'deleteMany',
    ({ near }) => near.deleteMany(['a', 'b', 'none']),
    [near('a', 'b')],
    ({ near }) => near.setMany(some('a', 'b')),
  ],
  [
    'deleteByPrefix',
    ({ near }) => near.deleteByPrefix('p:'),
    [`n ${namespaceDigest(place('near'))}`],
    ({ near }) => near.setMany(some('p:1', 'p:2')),
  ],
  ['deleteByPrefix of nothing', ({ near }) => near.deleteByPrefix('none:'), []],
  ['clear', ({ near }) => near.clear(), [`n ${namespaceDigest(place('near'))}`]],
  ['clear of the tenant', ({ tenant }) => tenant.clear(), [`t ${tenantDigest('acme')}`]],
  ['a read', ({ near }) => near.getMany(['a', 'b']), []],
  [
    'everything, in a namespace that is not marked',
    async ({ plain }) => {
      const { version } = await plain.set('a', 1)
      await plain.setMany(some('b', 'c'))
      await plain.compareAndSet('a', version, 2)
      await Promise.all([plain.add('d', 1), plain.increment('n'), plain.touch('b', 60_000), plain.take('c')])
      await Promise.all([plain.increment('n'), plain.increment('m')])
      await plain.delete('a')
      await plain.deleteByPrefix('b')
      await plain.clear()
    },
    [],
  ],
  ['session.set', ({ sessions }) => sessions.set('s', { cookie: cookie(), n: Math.random() }), [sessionsOf('s')]],
  [
    'session.set of several',
    ({ sessions }) => Promise.all(['s', 'u'].map((id) => sessions.set(id, { cookie: cookie(), n: Math.random() }))),
    [sessionsOf('s', 'u')],
  ],
  ['session.touch with a later expiry', ({ sessions }) => sessions.touch('s', { cookie: laterCookie() }), [], aSession],
  [
    'session.touch with an earlier expiry',
    ({ sessions }) => sessions.touch('s', { cookie: soonCookie() }),
    [sessionsOf('s')],
    aSession,
  ],
  ['session.destroy', ({ sessions }) => sessions.destroy('s'), [sessionsOf('s')], aSession],
  ['session.destroy of nothing', ({ sessions }) => sessions.destroy('none'), []],
  ['session.destroyByUser', ({ sessions }) => sessions.destroyByUser('ada'), [sessionsOf('s')], aSession],
  [
    'session.clear',
    ({ sessions }) => sessions.clear(),
    [`n ${namespaceDigest(addressOf('acme', 'sess', 'session'))}`],
    aSession,
  ],
  [
    'what the command line deletes of sessions',
    ({ stash }) => stash.tenantRows('acme').delete('sessions', null),
    [`n ${namespaceDigest(addressOf('acme', 'sess', 'session'))}`],
    aSession,
  ],
  ['forgetting the tenant', ({ stash }) => stash.tenantRows('acme').forget(), [`t ${tenantDigest('acme')}`]],
]

const some = (...keys: string[]) => keys.map((key) => ({ key, value: key }))
const laterCookie = () => ({ originalMaxAge: 600_000, expires: new Date(Date.now() + 700_000) })
const soonCookie = () => ({ originalMaxAge: 600_000, expires: new Date(Date.now() + 60_000) })
function aSession({ sessions }: Hands) {
  return sessions.set('s', { cookie: cookie(), user: 'ada', n: Math.random() })
}

describeBodies('the log', (body) => {
  const schema = freshSchema()
  const open = (): Hands => {
    const stash = body.open({ schema, sweeper: false })
    const tenant = stash.tenant('acme')
    const sessions = new Sessions({
      stash,
      tenant: 'acme',
      namespace: 'sess',
      touchAfter: 0,
      userId: ({ user }) => user as string | undefined,
    })
    return { stash, tenant, near: tenant.namespace('near'), plain: tenant.namespace('plain'), sessions }
  }
  const logged = async () => {
    const rows = await body.sql(`delete from ${schema}.invalidation returning kind, array_to_string(digests, ' ')`)
    return rows.map(([kind, digests]) => `${kind} ${(digests as string).split(' ').sort()}`)
  }

  beforeAll(async () => {
    await open().stash.ready()
  })

  /** Of a process that knows which namespaces are marked, and of one that does not. */
  describe.each(['that has met the mark', 'that has not'])('by a process %s', (which) => {
    for (const [verb, run, expected, before] of cases)
      it(verb, async () => {
        const log = await openLog({ ...body.connection(), schema })
        await log.mark('acme', 'near')
        await log.mark('acme', 'sess', 'sessions')
        const hands = open()
        if (which === 'that has met the mark') await meet(hands)
        await before?.(hands)
        await logged()
        await run(which === 'that has met the mark' ? hands : open())
        expect(await logged()).toEqual(expected)
      })
  })

  it('has one row for a statement, also where it evicts, and none where the statement was refused', async () => {
    const log = await openLog({ ...body.connection(), schema })
    await log.mark('acme', 'near')
    const stash = body.open({ schema, sweeper: false, quota: { maxEntries: 2 } })
    const cache = stash.tenant('acme').namespace('near')
    const plain = stash.tenant('acme').namespace('plain')
    await cache.clear()
    await plain.clear()
    for (const key of ['1', '2', '3']) await cache.set(key, key)
    await plain.set('4', 4)
    await cache.set('5', 5)
    await logged()
    expect(await stash.sweep()).toMatchObject({ evicted: 3 })
    expect(await logged()).toEqual([near('1', '2', '3')])
    await expect(
      body.sql(`select * from ${schema}.add_entries('{acme}','{near}','{k}', null, null, '{v}', '{x}')`),
    ).rejects.toThrow()
    await expect(
      body.script(
        `begin; select * from ${schema}.add_entries('{acme}','{near}','{k}', null, null, '{v}', null); select 1/0; commit`,
      ),
    ).rejects.toThrow()
    await body.script('rollback')
    expect(await logged()).toEqual([])
  })

  it('is written too by the functions of old names, which processes of the last version call', async () => {
    const log = await openLog({ ...body.connection(), schema })
    await log.mark('acme', 'near')
    await open().near.clear()
    await logged()
    const at = `'{acme}', '{near}', '{k}'`
    const old: [sql: string, expected: string[]][] = [
      [`write_entries(${at}, null, null, '{v}', null, null)`, [near('k')]],
      [`write_value('acme', 'near', 'k', null, 't', 'v', null, 1)`, [near('k')]],
      [`write_namespace('acme', 'near', '{k}', null, null, '{v}', null, null)`, [near('k')]],
      [`add_entries(${at}, null, null, '{v}', null)`, []],
      [`take_entries(${at})`, [near('k')]],
      [`add_entries(${at}, null, null, '{v}', null)`, [near('k')]],
      [`touch_entries(${at}, '{60000}')`, [near('k')]],
      [`delete_entries(${at})`, [near('k')]],
      [`increment_entries(${at}, null, '{1}', null)`, [near('k')]],
      [
        `compare_and_set_entries(${at}, null, '{v}', null, array[(select version from ${schema}.entry where key = 'k')])`,
        [near('k')],
      ],
      [`delete_prefix('acme', 'near', 'k', 'l', 'k', false, 10)`, [`n ${namespaceDigest(place('near'))}`]],
    ]
    for (const [call, expected] of old) {
      await body.sql(`select * from ${schema}.${call}`)
      expect([call, await logged()]).toEqual([call, expected])
    }
  })
})

/** Writes once, so that it knows. */
async function meet({ near, sessions }: Hands): Promise<void> {
  await near.set('met', 1)
  await sessions.set('met', { cookie: cookie() })
}
