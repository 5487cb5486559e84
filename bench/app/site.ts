import { randomBytes } from 'node:crypto'
import express, { type Express, type Request } from 'express'
import { rateLimit } from 'express-rate-limit'
import session from 'express-session'
import { type Stack, windowMs } from './stores/stack'

const dayMs = 86_400_000
const text = (bytes: number) => randomBytes(bytes).toString('base64').slice(0, bytes)

/** Each request is counted for its caller, has its session read and touched, and reads a page of a cache; some log in, some write a page. */
export function siteOn({ limits, sessions, cache }: Stack): Express {
  const site = express()
  // Callers come through one proxy, and are told apart by what it says of them.
  site.set('trust proxy', 1)
  // Nobody is denied: ours remembers denials, which would flatter it.
  site.use(rateLimit({ windowMs, limit: 50_000_000, legacyHeaders: true, store: limits }))
  site.use(
    session({
      secret: 'benchmark',
      resave: false,
      saveUninitialized: false,
      cookie: { maxAge: dayMs },
      store: sessions,
    }),
  )
  site.post('/login/:name', (req, res, next) => {
    req.session.regenerate((error) => {
      if (error) return next(error)
      Object.assign(req.session, { reader: req.params.name, note: text(300) })
      res.sendStatus(204)
    })
  })
  site.get('/pages/:page', async (req, res) => {
    const reader = readerOf(req)
    if (reader === undefined) return void res.sendStatus(401)
    const page = await cache.get<string>(req.params.page)
    if (page === undefined) return void res.sendStatus(404)
    res.json({ reader, page })
  })
  site.put('/pages/:page', async (req, res) => {
    if (readerOf(req) === undefined) return void res.sendStatus(401)
    await cache.set(req.params.page, text(300))
    res.sendStatus(204)
  })
  return site
}

function readerOf({ session }: Request): string | undefined {
  return (session as { reader?: string }).reader
}
