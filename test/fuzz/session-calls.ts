import fc from 'fast-check'
import { PgSessionStore as ExpressStore } from '../../src/adapters/sessions/express'
import { PgSessionStore as FastifyStore } from '../../src/adapters/sessions/fastify'
import { Sessions } from '../../src/stash/sessions/store'
import { answered } from './callback'
import {
  callOptions,
  type FuzzedCall,
  fuzzed,
  type IsRight,
  isAnything,
  isBoolean,
  isCount,
  isKey,
  isNothing,
  keys,
  ofKey,
  optionsOf,
} from './fuzzed-call'
import { mostly, nasty, nastyButFunctions, nastyNumbers } from './nasty'
import { among, listOf, objectOf, oneOf, type Recipe } from './recipe'
import type { World } from './world'

const cookies = mostly(
  objectOf({
    expires: mostly(
      fc.oneof(
        oneOf({
          'in a minute': () => new Date(Date.now() + 60_000),
          'as text': () => new Date(Date.now() + 60_000).toISOString(),
        }),
        among(null, false, 'Wed, 21 Oct 2099 07:28:00 GMT'),
      ),
    ),
    maxAge: mostly(among(60_000, null, 0), nastyNumbers),
    path: nasty,
  }),
)
const sessionData = mostly(
  objectOf({ cookie: cookies, user: mostly(among('u1', 5)), cart: nasty, _version: nastyNumbers }),
)
const users = mostly(among('u1', 'u2', 5))
const isSessions: IsRight = (answer) => Array.isArray(answer)

function sessionsOf({ stash }: World, lostUpdates: 'allow' | 'reject' = 'allow', namespace = 'fuzz'): Sessions {
  return new Sessions({ stash, namespace, lostUpdates, userId: userOf })
}

const userOf = (session: object) => (session as { user?: string }).user

const stashes = oneOf({ 'the stash': ({ stash }) => stash })
const constructorOptions = mostly(
  objectOf(
    {
      stash: mostly(stashes),
      tenant: mostly(fc.oneof(among('k', 5, undefined), oneOf({ "() => 'k'": () => () => 'k' }))),
      namespace: mostly(among('k', 'fuzz')),
      ttl: mostly(among(1_000), nastyNumbers),
      touchAfter: mostly(among(0, 1_000), nastyNumbers),
      userId: mostly(oneOf({ '({ user }) => user': () => userOf })),
      lostUpdates: mostly(among('allow', 'reject')),
    },
    ['stash'],
  ),
)
const tables = objectOf({ stash: stashes, table: mostly(among('none', 'public.none', 'a.b.c', '.', 'a.', '.a')) }, [
  'stash',
  'table',
])

/** A session of its own stash, where the options name none, finds no server: the environment leads nowhere. */
const construction = { throws: true, allowed: ['CONNECTION', 'TIMEOUT', 'CIRCUIT_OPEN'] }

type Store = Pick<ExpressStore, 'get' | 'set' | 'destroy' | 'touch' | 'all' | 'length' | 'clear'> &
  Pick<Sessions, 'ids' | 'listByUser' | 'destroyByUser' | 'close'>
type StoreClass = new (options?: never) => Store

/** Here it is the promise that answers, or the callback, if it is one. */
const callbacks = mostly(among(undefined), nastyButFunctions)

function storeCalls(host: string, Store: StoreClass): FuzzedCall[] {
  const storeOf = ({ stash }: World, namespace = 'fuzz') => new Store({ stash, namespace, userId: userOf } as never)
  const withCallback = (
    name: string,
    args: fc.Arbitrary<Recipe>[],
    call: (store: Store, ...args: never[]) => unknown,
    isRight: IsRight,
    namespace?: string,
  ) => [
    fuzzed(
      `${host} ${name}`,
      [...args, callbacks],
      (world, ...given) => call(storeOf(world, namespace), ...given),
      isRight,
    ),
    fuzzed(
      `${host} ${name} with a callback`,
      args,
      (world, ...given) => answered((callback) => call(storeOf(world, namespace), ...given, callback as never)),
      isRight,
    ),
  ]
  return [
    fuzzed(
      `new PgSessionStore of ${host}`,
      [constructorOptions],
      (_, options) => use(new Store(options)),
      isAnything,
      construction,
    ),
    ...withCallback('get', [keys], (store, ...args) => store.get(...(args as never as [never])), ofKey(isAnything)),
    ...withCallback(
      'set',
      [keys, sessionData],
      (store, ...args) => store.set(...(args as never as [never, never])),
      ofKey(isNothing),
    ),
    ...withCallback(
      'destroy',
      [keys],
      (store, ...args) => store.destroy(...(args as never as [never])),
      ofKey(isNothing),
    ),
    ...withCallback(
      'touch',
      [keys, sessionData],
      (store, ...args) => store.touch?.(...(args as never as [never, never])),
      ofKey(isNothing),
    ),
    ...withCallback('all', [], (store, ...args) => store.all?.(...(args as never as [never])), isSessions),
    ...withCallback('ids', [], (store, ...args) => store.ids(...(args as never as [never])), isSessions),
    ...withCallback('length', [], (store, ...args) => store.length?.(...(args as never as [never])), isCount),
    ...withCallback(
      'clear',
      [],
      (store, ...args) => store.clear?.(...(args as never as [never])),
      isNothing,
      'cleared',
    ),
    fuzzed(`${host} listByUser`, [users], (world, user) => storeOf(world).listByUser(user), isSessions),
    fuzzed(
      `${host} destroyByUser`,
      [users, callOptions],
      (world, user, options) => storeOf(world).destroyByUser(user, options),
      isCount,
    ),
    fuzzed(`${host} close`, [nasty], (world, ...extra) => storeOf(world).close(...(extra as [])), isNothing),
  ]
}

async function use(sessions: Pick<Store, 'get' | 'set' | 'touch' | 'close'>): Promise<void> {
  try {
    await sessions.set('k', { cookie: {}, user: 'u1' } as never)
    await sessions.touch?.('k', { cookie: {} } as never)
    await sessions.get('k')
  } finally {
    await sessions.close()
  }
}

export const sessionCalls: readonly FuzzedCall[] = [
  fuzzed(
    'new Sessions',
    [constructorOptions],
    (_, options) => use(new Sessions(options) as never),
    isAnything,
    construction,
  ),
  fuzzed('new Sessions({ table })', [tables], (_, options) => use(new Sessions(options) as never), isAnything, {
    ...construction,
    allowed: ['DATABASE'],
  }),
  fuzzed(
    'Sessions.get',
    [keys, callOptions],
    (world, id, options) => sessionsOf(world).get(id, options),
    ofKey(isAnything),
  ),
  fuzzed(
    'Sessions.set',
    [keys, sessionData, callOptions],
    (world, id, session, options) => sessionsOf(world).set(id, session, options),
    ofKey(isNothing),
  ),
  fuzzed(
    'Sessions.set, lost updates rejected',
    [keys, sessionData, callOptions],
    (world, id, session, options) => sessionsOf(world, 'reject').set(id, session, options),
    ofKey(isNothing),
  ),
  fuzzed(
    'Sessions.touch',
    [keys, sessionData, callOptions],
    (world, id, session, options) => sessionsOf(world).touch(id, session, options),
    ofKey(isNothing),
  ),
  fuzzed(
    'Sessions.destroy',
    [keys, callOptions],
    (world, id, options) => sessionsOf(world).destroy(id, options),
    ofKey(isBoolean),
  ),
  fuzzed('Sessions.all', [callOptions], (world, options) => sessionsOf(world).all(options), isSessions),
  fuzzed('Sessions.ids', [callOptions], (world, options) => sessionsOf(world).ids(options), isSessions),
  fuzzed('Sessions.length', [callOptions], (world, options) => sessionsOf(world).length(options), isCount),
  fuzzed(
    'Sessions.clear',
    [callOptions],
    (world, options) => sessionsOf(world, 'allow', 'cleared').clear(options),
    isNothing,
  ),
  fuzzed(
    'Sessions.listByUser',
    [users, callOptions],
    (world, user, options) => sessionsOf(world).listByUser(user, options),
    isSessions,
  ),
  fuzzed(
    'Sessions.destroyByUser',
    [users, optionsOf({ except: mostly(fc.oneof(keys, listOf(keys))) })],
    (world, user, options) => sessionsOf(world).destroyByUser(user, options),
    isCount,
  ),
  fuzzed('Sessions.close', [nasty], (world, ...extra) => sessionsOf(world).close(...(extra as [])), isNothing),
  fuzzed(
    'Sessions.set, then get and all',
    [keys, sessionData],
    async ({ stash, fresh }, id, session) => {
      const sessions = new Sessions({ stash, namespace: fresh() })
      await sessions.set(id, session)
      const [found, all] = [await sessions.get(id), await sessions.all()]
      return found === undefined || all.length <= 1 ? found : 'listed twice'
    },
    (answer, [id, session]) => isKey(id) && (answer === undefined || hasTheData(answer, session)),
  ),
  ...storeCalls('express-session', ExpressStore as never),
  ...storeCalls('@fastify/session', FastifyStore as never),
]

/** But for the cookie, which has an expiry of its own. */
function hasTheData(answer: unknown, given: unknown): boolean {
  const [found, expected] = [
    { ...(answer as object), cookie: 0 },
    { ...(given as object), cookie: 0 },
  ]
  return (
    JSON.stringify(found, Object.keys(found).sort()) ===
    JSON.stringify(JSON.parse(JSON.stringify(expected)), Object.keys(found).sort())
  )
}
