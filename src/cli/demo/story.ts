import { LoginLimiter } from '../../stash/limits/login-limiter'
import { RateLimiter } from '../../stash/limits/rate-limiter'
import type { PgStash } from '../../stash/pg-stash'
import { Sessions } from '../../stash/sessions/store'

/** What was done, and what came of it. */
export interface Scene {
  readonly what: string
  readonly run: () => Promise<unknown>
}

export interface Chapter {
  readonly title: string
  readonly scenes: readonly Scene[]
}

/** The main job in a page; examples/demo.mjs tells it with the hosts: Keyv, cache-manager, Express. */
export function story(stash: PgStash): Chapter[] {
  return [start(stash), entries(stash), tenants(stash), sessions(stash), limits(stash), ending(stash)]
}

function start(stash: PgStash): Chapter {
  const run = async () => `${(await stash.migrate()).length} migrations`
  return { title: 'Start', scenes: [{ what: 'connect, and make the schema', run }] }
}

function entries(stash: PgStash): Chapter {
  const items = stash.namespace('items', { ttl: 60_000 })
  const keys = Array.from({ length: 5_000 }, (_, at) => `item:${at}`)
  const increments = async () => {
    await Promise.all(Array.from({ length: 1_000 }, () => items.increment('counter')))
    return `counter is ${await items.get('counter')}`
  }
  return {
    title: 'Entries: concurrent calls travel together',
    scenes: [
      {
        what: 'set for 50 ms, and got at once',
        run: () => items.set('brief', 'gone soon', { ttl: 50 }).then(() => items.get('brief')),
      },
      {
        what: 'set 5,000 at once',
        run: async () => `${(await items.setMany(keys.map((key) => ({ key, value: { key } })))).length} set`,
      },
      {
        what: '5,000 single gets, un-awaited',
        run: async () => `${(await Promise.all(keys.map((key) => items.get(key)))).filter(Boolean).length} got`,
      },
      { what: '1,000 increments of one counter', run: increments },
      { what: '60 ms later', run: () => afterwards(() => items.get('brief')) },
    ],
  }
}

async function afterwards<T>(look: () => Promise<T>): Promise<T> {
  await new Promise((resolve) => setTimeout(resolve, 60))
  return look()
}

function tenants(stash: PgStash): Chapter {
  const [acme, globex] = ['acme', 'globex'].map((name) => stash.tenant(name).namespace('settings'))
  const colour = async () => {
    await acme?.set('colour', 'red')
    return acme?.get('colour')
  }
  const clear = async () => {
    await stash.tenant('acme').clear()
    return acme?.get('colour')
  }
  return {
    title: 'Tenants do not see each other',
    scenes: [
      { what: 'acme sets its colour', run: colour },
      { what: 'globex looks', run: async () => globex?.get('colour') },
      { what: 'acme is cleared, in one small write', run: clear },
    ],
  }
}

function sessions(stash: PgStash): Chapter {
  const store = new Sessions({ stash, userId: ({ user }) => user as string })
  const logIn = (id: string) => store.set(id, { user: 'ada', cookie: { maxAge: 60_000 } })
  const logInTwice = async () => {
    await logIn('laptop')
    await logIn('phone')
    return 'welcome'
  }
  return {
    title: 'Sessions',
    scenes: [
      {
        what: 'Ada logs in on her laptop, and on her phone',
        run: logInTwice,
      },
      { what: 'the phone asks who it is', run: async () => (await store.get('phone'))?.user },
      {
        what: 'the laptop logs out everywhere else',
        run: async () => `${await store.destroyByUser('ada', { except: 'laptop' })} ended`,
      },
      { what: 'the phone asks again', run: () => store.get('phone') },
    ],
  }
}

function limits(stash: PgStash): Chapter {
  const searches = new RateLimiter({ stash, name: 'search', limit: 5, windowMs: 60_000 })
  const logins = new LoginLimiter({ stash })
  const granted = async (calls: readonly Promise<{ isAllowed: boolean }>[]) => {
    const results = await Promise.all(calls)
    return `${results.filter(({ isAllowed }) => isAllowed).length} of ${results.length} allowed`
  }
  const guess = () => logins.begin({ username: 'bob', ip: '192.0.2.1' })
  return {
    title: 'Rate limits, and a brake on guessing',
    scenes: [
      {
        what: '8 searches at once, where 5 a minute may',
        run: () => granted(Array.from({ length: 8 }, () => searches.consume('ada'))),
      },
      { what: '20 passwords for bob, guessed at once', run: () => granted(Array.from({ length: 20 }, guess)) },
    ],
  }
}

function ending(stash: PgStash): Chapter {
  const items = stash.namespace('items')
  const clear = async () => {
    await items.clear()
    return items.get('item:1')
  }
  return {
    title: 'Clear does not count, the sweep removes',
    scenes: [
      { what: 'clear 5,001 entries', run: clear },
      { what: 'sweep', run: async () => `${(await stash.sweep()).cleared} rows removed` },
    ],
  }
}
