import fastifyCookie from '@fastify/cookie'
import fastifySession from '@fastify/session'
import express, { type Express, type NextFunction, type Request, type Response } from 'express'
import session from 'express-session'
import Fastify, { type FastifyInstance } from 'fastify'
import passports from 'passport'
import { Strategy } from 'passport-local'
import pg from 'pg'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { PgSessionStore } from '../../src/adapters/sessions/express'
import { PgSessionStore as FastifyPgSessionStore } from '../../src/adapters/sessions/fastify'
import { PgStash } from '../../src/stash/pg-stash'
import { freshSchema } from '../support/bodies'
import { Browser, closed, listening } from '../support/browser'
import { sleep } from '../support/sleep'

const secret = 'a secret of thirty-two characters or more'
const schema = freshSchema()
let stash: PgStash
let scenarios = 0

beforeAll(async () => {
  stash = new PgStash({ connectionString: inject('postgresUrl'), schema, timeoutMs: 60_000 })
  await stash.ready()
  const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
  // As connect-pg-simple makes it.
  await pool.query(
    `create table ${schema}.theirs (sid varchar primary key, sess json not null, expire timestamp(6) not null)`,
  )
  return async () => {
    await stash.close()
    await pool.query(`drop schema ${schema} cascade`)
    await pool.end()
  }
})

type Held = Record<string, unknown> & { cookie: unknown }
const held = (req: { session: unknown }) => req.session as Held

/** Ours by what they are told; `undefined`: the host's own. */
function storesOf(hosts: readonly (new (options: never) => session.Store | FastifyPgSessionStore)[]) {
  scenarios += 1
  const namespace = `answers-${scenarios}`
  const options = [
    { stash, namespace, lostUpdates: 'allow' },
    { stash, namespace: `${namespace}-reject`, lostUpdates: 'reject' },
    { stash, table: `${schema}.theirs` },
  ]
  return hosts.flatMap((Store) => options.map((one) => new Store(one as never)))
}

describe('express-session answers as with its MemoryStore', () => {
  type Visit = (browser: Browser) => Promise<unknown[]>

  /** What one browser sees, with each store; each failure that the app is told of afterwards is part of it. */
  async function answers(build: (app: Express) => void, visit: Visit, options: Partial<session.SessionOptions> = {}) {
    const stores = [new session.MemoryStore(), ...storesOf([PgSessionStore])]
    return Promise.all(
      stores.map(async (store) => {
        const errors: unknown[] = []
        const app = express()
        app.use(session({ store: store as session.Store, secret, resave: false, saveUninitialized: false, ...options }))
        build(app)
        app.use((error: unknown, _req: Request, _res: Response, next: NextFunction) => {
          errors.push(String(error))
          next(error)
        })
        const server = app.listen(0, '127.0.0.1')
        const seen = await visit(new Browser(await listening(server)))
        await closed(server)
        return [...seen, errors]
      }),
    )
  }

  const see = async (browser: Browser, ...paths: string[]) => {
    const texts: string[] = []
    for (const path of paths) texts.push((await browser.get(path)).text)
    return texts
  }

  const isAlike = (seen: unknown[][]) => {
    const [memory, ...ours] = seen
    for (const one of ours) expect(one).toEqual(memory)
    return memory
  }

  const show = (req: Request, res: Response) => {
    const { cookie: _, ...rest } = held(req)
    res.send(JSON.stringify([rest, (req as { user?: unknown }).user]))
  }

  const carts = (app: Express) => {
    app.get('/cart', (req, res) => {
      held(req).cart = ['book']
      res.send('in the cart')
    })
    app.get('/show', show)
  }

  it.each([{}, { keepSessionInfo: true }, { keepSessionInfo: false }])('with passport, %o', async (options) => {
    const build = (app: Express) => {
      const passport = new passports.Passport()
      passport.use(new Strategy({}, (name, _password, done) => done(null, { name })))
      passport.serializeUser((user, done) => done(null, (user as { name: string }).name))
      passport.deserializeUser((name, done) => done(null, { name }))
      app.use(passport.session())
      app.get('/login', passport.authenticate('local', options), (_req, res) => void res.send('welcome'))
      app.get('/logout', (req, res, next) => req.logout(options, (error) => (error ? next(error) : res.send('bye'))))
      carts(app)
    }
    const login = '/login?username=ada&password=x'
    const visit = (browser: Browser) =>
      see(browser, '/show', '/cart', login, '/show', '/cart', '/show', '/logout', '/show', login, '/show')
    const seen = isAlike(await answers(build, visit))
    expect(seen?.[3]).toContain('"name":"ada"')
    expect(String(seen?.[3]).includes('book')).toBe(options.keepSessionInfo === true)
  })

  it.each([
    ['spread', (one: Held) => ({ ...one })],
    ['spread, without its cookie', ({ cookie: _, ...rest }: Held) => rest],
    ['JSON', (one: Held) => JSON.parse(JSON.stringify(one))],
    ['for … in', (one: Held) => Object.fromEntries(Object.keys(one).map((name) => [name, one[name]]))],
  ])('where a login copies the session by %s, and assigns it to a new one', async (_name, copy) => {
    const build = (app: Express) => {
      carts(app)
      app.get('/login', (req, res, next) => {
        const kept = copy(held(req))
        req.session.regenerate((failure) => {
          if (failure) return next(failure)
          Object.assign(req.session, kept, { user: 'ada' })
          req.session.save((error) => (error ? next(error) : res.send('welcome')))
        })
      })
    }
    const seen = isAlike(await answers(build, (browser) => see(browser, '/cart', '/login', '/show', '/cart', '/show')))
    expect(seen?.[2]).toBe('[{"cart":["book"],"user":"ada"},null]')
  })

  // Their waiting goes by together; the sweep of one would be seen by the other.
  describe.concurrent.each([false, true])('resave: %o', (resave) => {
    it('where a session expires during a request', async () => {
      const build = (app: Express) => {
        carts(app)
        app.get('/upload', async (req, res) => {
          await sleep(900)
          held(req).uploaded = true
          res.send('done')
        })
        app.get('/idle', async (_req, res) => {
          await sleep(900)
          res.send('done')
        })
      }
      const visit = (browser: Browser) => see(browser, '/cart', '/upload', '/show', '/idle', '/show')
      const seen = isAlike(await answers(build, visit, { resave, cookie: { maxAge: 700 } }))
      expect(seen?.[2]).toContain('uploaded')
    })
  })

  describe.concurrent.each([false, true])('resave: %o', (resave) => {
    it('where a session is swept during a request', async () => {
      const build = (app: Express) => {
        carts(app)
        app.get('/upload', async (req, res) => {
          await sleep(700)
          await stash.sweep()
          held(req).uploaded = true
          res.send('done')
        })
      }
      const visit = (browser: Browser) => see(browser, '/cart', '/upload', '/show')
      const seen = isAlike(await answers(build, visit, { resave, cookie: { maxAge: 600 } }))
      expect(seen?.[2]).toContain('uploaded')
    })
  })

  it('with resave: true, and nothing changed', async () => {
    const seen = isAlike(await answers(carts, (browser) => see(browser, '/cart', '/show', '/show'), { resave: true }))
    expect(seen?.[2]).toBe('[{"cart":["book"]},null]')
  })

  it('where a request saves, changes the session, and ends', async () => {
    const build = (app: Express) => {
      carts(app)
      app.get('/twice', (req, res) => {
        held(req).first = 1
        req.session.save()
        held(req).second = 2
        res.send('saved')
      })
    }
    const seen = isAlike(await answers(build, (browser) => see(browser, '/cart', '/twice', '/show', '/twice', '/show')))
    expect(seen?.[4]).toContain('"second":2')
  })

  it('where the application has fields of these names, and looks at all of them', async () => {
    const build = (app: Express) => {
      app.get('/set', (req, res) => {
        Object.assign(req.session, { _version: 7, version: 'x', origin: 1 })
        res.send('set')
      })
      app.get('/names', (req, res) => void res.send(Object.keys(req.session).sort().join()))
      app.get('/reload', (req, res) => void req.session.reload(() => res.send(JSON.stringify(held(req)._version))))
      app.get('/show', show)
    }
    const paths = ['/set', '/show', '/names', '/reload', '/set', '/show']
    const seen = isAlike(await answers(build, (browser) => see(browser, ...paths)))
    expect(seen?.[2]).toBe('_version,cookie,origin,version')
  })
})

describe('@fastify/session answers as with its memory store', () => {
  async function answers(
    build: (app: FastifyInstance) => void,
    visit: (browser: Browser) => Promise<unknown[]>,
    options: { rolling?: boolean; cookie?: { secure: boolean; maxAge: number } } = {},
  ) {
    const stores = [undefined, ...storesOf([PgSessionStore, FastifyPgSessionStore])]
    return Promise.all(
      stores.map(async (store) => {
        const app = Fastify({ forceCloseConnections: true })
        await app.register(fastifyCookie)
        await app.register(fastifySession, {
          secret,
          saveUninitialized: false,
          cookie: { secure: false },
          ...(store === undefined ? {} : { store: store as never }),
          ...options,
        })
        app.get('/cart', async (request) => {
          held(request).cart = ['book']
          return 'in the cart'
        })
        app.get('/show', async (request) => {
          const { cookie: _, ...rest } = held(request)
          return JSON.stringify(rest)
        })
        build(app)
        const seen = await visit(new Browser(await app.listen({ port: 0, host: '127.0.0.1' })))
        await app.close()
        return seen
      }),
    )
  }

  const see = async (browser: Browser, ...paths: string[]) => {
    const seen: [number, string][] = []
    for (const path of paths) {
      const { status, text } = await browser.get(path)
      seen.push([status, text])
    }
    return seen
  }

  const isAlike = (seen: unknown[][]) => {
    const [memory, ...ours] = seen
    for (const one of ours) expect(one).toEqual(memory)
    return memory as [number, string][]
  }

  it.each([true, false])('where a login takes the session along, by keys and by copy, rolling: %o', async (rolling) => {
    const build = (app: FastifyInstance) => {
      app.get('/login', async (request) => {
        await request.session.regenerate(['cart'] as never)
        held(request).user = 'ada'
        return 'welcome'
      })
      app.get('/copy', async (request) => {
        // By names: a spread copies the host's symbols as well, and with them the old id.
        const kept = Object.fromEntries(Object.entries(held(request)).filter(([name]) => name !== 'cookie'))
        await request.session.regenerate()
        Object.assign(request.session, kept, { user: 'grace' })
        await request.session.save()
        return 'welcome'
      })
    }
    const visit = (browser: Browser) => see(browser, '/cart', '/login', '/show', '/copy', '/show', '/cart', '/show')
    const seen = isAlike(await answers(build, visit, { rolling }))
    expect(seen[2]).toEqual([200, '{"cart":["book"],"user":"ada"}'])
    expect(seen[4]).toEqual([200, '{"cart":["book"],"user":"grace"}'])
  })

  it('where a request saves, changes the session, and ends; where it reloads, and where it logs out', async () => {
    const build = (app: FastifyInstance) => {
      app.get('/twice', async (request) => {
        held(request).first = 1
        const saved = request.session.save()
        held(request).second = 2
        await saved
        return 'saved'
      })
      app.get('/reload', async (request) => {
        await request.session.reload()
        held(request).reloaded = true
        return 'reloaded'
      })
      app.get('/out', async (request) => {
        await request.session.destroy()
        return 'out'
      })
    }
    const paths = ['/cart', '/twice', '/show', '/twice', '/reload', '/show', '/out', '/show']
    const seen = isAlike(await answers(build, (browser) => see(browser, ...paths)))
    expect(seen[5]).toEqual([200, '{"cart":["book"],"first":1,"second":2,"reloaded":true}'])
    expect(seen[7]).toEqual([200, '{}'])
  })

  it('where a session expires during a request', async () => {
    const build = (app: FastifyInstance) => {
      app.get('/upload', async (request) => {
        await sleep(900)
        held(request).uploaded = true
        return 'done'
      })
      app.get('/touched', async (request) => {
        await sleep(900)
        request.session.touch()
        held(request).uploaded = true
        return 'done'
      })
    }
    const visit = (browser: Browser) => see(browser, '/cart', '/upload', '/show', '/cart', '/touched', '/show')
    const seen = isAlike(await answers(build, visit, { cookie: { secure: false, maxAge: 700 } }))
    expect(seen[5]).toEqual([200, '{"cart":["book"],"uploaded":true}'])
  })

  it('where nothing is changed, and where the application has a field of that name', async () => {
    const build = (app: FastifyInstance) => {
      app.get('/set', async (request) => {
        held(request)._version = 7
        return 'set'
      })
    }
    const paths = ['/show', '/cart', '/show', '/show', '/set', '/show', '/cart', '/show']
    const seen = isAlike(await answers(build, (browser) => see(browser, ...paths)))
    expect(seen[7]).toEqual([200, '{"cart":["book"],"_version":7}'])
  })
})
