import { randomBytes } from 'node:crypto'
import { PgSessionStore } from 'pgstash/express-session'
import { withOwnStash } from '../contestants/own-stash'
import {
  read,
  type SessionStore,
  touch,
  type VisitedSession,
  withConnectStore,
  write,
} from '../contestants/session-stores'
import type { Figure } from '../measuring/measure'
import { rateRatio } from '../measuring/rate-ratio'
import type { Settings } from '../measuring/settings'
import { takeTurns } from '../measuring/turns'
import type { Verdict } from '../measuring/verdict'
import { Keys } from './of-comparison'

const callers = 64
const oneDayMs = 86_400_000
const ids = new Keys(10_000)

const theirs = 'connect-pg-simple'
/** Told beside ours; its expiries may wait. */
const sparing = 'pgstash with touchAfter'

/** What a request does with its caller's session, whose expiry moves each time. */
const works: Readonly<Record<string, (store: SessionStore, id: string) => Promise<unknown>>> = {
  'get+touch': async (store, id) => touch(store, id, renewed(await read(store, id))),
  'get+set': async (store, id) => {
    const session = renewed(await read(store, id))
    return write(store, id, { ...session, visits: session.visits + 1 })
  },
}

/** Sessions by the stores of express-session: ours against connect-pg-simple. All tables are logged. */
export async function sessions(settings: Settings): Promise<Verdict[]> {
  return withOwnStash(settings, 'sessions', false, ({ stash, schema, client }) =>
    withConnectStore(settings, `${schema}_connect`, async (connect) => {
      const stores = {
        pgstash: new PgSessionStore({ stash }),
        [sparing]: new PgSessionStore({ stash, namespace: 'sparing', touchAfter: 60_000 }),
        [theirs]: connect,
      }
      for (const store of Object.values<SessionStore>(stores)) await fill(store)
      await client.query(`vacuum analyze ${schema}.session, ${schema}_connect.session`)
      return judge(await takeTurns(operationsOn(stores), callers, settings))
    }),
  )
}

function operationsOn(stores: Readonly<Record<string, SessionStore>>): Record<string, () => Promise<unknown>> {
  const operations = Object.entries(works).flatMap(([work, visit]) =>
    Object.entries(stores).map(([name, store]) => [`${work} ${name}`, () => visit(store, ids.one())] as const),
  )
  return Object.fromEntries(operations)
}

function judge(figureOf: (operation: string) => Figure): Verdict[] {
  return Object.keys(works).flatMap((work) => {
    const measured = (name: string) => ({ name, ...figureOf(`${work} ${name}`) })
    const what = `${work} of a session, ${callers} callers`
    return [
      rateRatio(what, measured('pgstash'), measured(theirs), 1.5),
      rateRatio(what, measured(sparing), measured(theirs), null),
    ]
  })
}

async function fill(store: SessionStore): Promise<void> {
  const left = [...ids.all()]
  while (left.length > 0) await Promise.all(left.splice(0, 500).map((id) => write(store, id, fresh(id))))
}

/** About 400 bytes beside the cookie. */
function fresh(id: string): VisitedSession {
  const cookie = { originalMaxAge: oneDayMs, expires: inADay(), httpOnly: true, path: '/' }
  return { cookie, visits: 0, user: { id, roles: ['member', 'editor'] }, token: randomBytes(240).toString('base64') }
}

/** As express-session does at the end of each request. */
function renewed(session: VisitedSession): VisitedSession {
  return { ...session, cookie: { ...session.cookie, expires: inADay() } }
}

function inADay(): Date {
  return new Date(Date.now() + oneDayMs)
}
