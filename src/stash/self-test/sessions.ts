import type { PgStash } from '../pg-stash'
import { Sessions } from '../sessions/store'
import { type Round, unless } from './round'

const cookie = () => ({ maxAge: 60_000, path: '/' })

/** What a login, its requests, and a logout do. */
export function sessionRounds(stash: PgStash, tenant: string): Round[] {
  const sessions = new Sessions({ stash, tenant, lostUpdates: 'reject', userId: ({ user }) => user as string })
  return [
    { step: 'set, get and touch', run: () => lives(sessions) },
    { step: 'a lost update is refused', run: () => refusesLostUpdate(sessions) },
    { step: 'list and destroy by user', run: () => endsByUser(sessions) },
  ]
}

async function lives(sessions: Sessions): Promise<string | undefined> {
  await sessions.set('first', { user: 'ada', cart: [1], cookie: cookie() })
  await sessions.touch('first', { cookie: cookie() })
  const session = await sessions.get('first')
  return unless([session?.user, session?.cart, await sessions.length()], ['ada', [1], 1])
}

async function refusesLostUpdate(sessions: Sessions): Promise<string | undefined> {
  const [one, other] = [await sessions.get('first'), await sessions.get('first')]
  await sessions.set('first', { ...one, cart: [1, 2] })
  const code = await sessions.set('first', { ...other, cart: [1, 3] }).then(
    () => undefined,
    (error: { code?: unknown }) => error.code,
  )
  return unless(code, 'ERR_PGSTASH_VERSION_CONFLICT')
}

async function endsByUser(sessions: Sessions): Promise<string | undefined> {
  await sessions.set('second', { user: 'ada', cookie: cookie() })
  const listed = (await sessions.listByUser('ada')).length
  const ended = await sessions.destroyByUser('ada', { except: 'second' })
  const isDestroyed = await sessions.destroy('second')
  return unless([listed, ended, isDestroyed, await sessions.length()], [2, 1, true, 0])
}
