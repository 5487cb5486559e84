import { LoginLimiter, RateLimiter, rateLimitHeaders, Sessions } from 'pgstash'
import { opened } from './opened.mjs'

const { stash, close } = opened()
const answers = {}

const sessions = new Sessions({ stash, userId: (session) => session.user })
await sessions.set('s1', { user: 'ada', cookie: {} })
await sessions.set('s2', { user: 'ada', cookie: {} })
answers.session = (await sessions.get('s1')).user
await sessions.touch('s1', { cookie: {} })
answers.list = (await sessions.listByUser('ada')).length
answers.others = await sessions.destroyByUser('ada', { except: 's1' })
answers.left = await sessions.ids()
await sessions.destroy('s1')
answers.destroyed = await sessions.get('s1')

for (const algorithm of ['fixed-window', 'sliding-window', 'gcra']) {
  const limiter = new RateLimiter({ stash, name: algorithm, limit: 3, windowMs: 3_600_000, algorithm })
  const results = await Promise.all(Array.from({ length: 5 }, () => limiter.consume('ada')))
  answers[algorithm] = results.map(({ isAllowed }) => isAllowed)
  answers[`${algorithm} headers`] = Object.keys(rateLimitHeaders(results[4]))
  await limiter.reset('ada')
  answers[`${algorithm} reset`] = (await limiter.peek('ada')).remaining
}

const logins = new LoginLimiter({ stash, limits: { username: 1 } })
const attempt = () => logins.begin({ username: 'ada', ip: '::ffff:192.0.2.1' })
answers.logins = [(await attempt()).isAllowed, (await attempt()).isAllowed]

await stash.close()
await close()
console.log(JSON.stringify(answers))
