import { RateLimiter } from '../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../src/stash/pg-stash'
import { Sessions } from '../../src/stash/sessions/store'

/** What {@link answersOf} asks for, stored by a stash that may. */
export async function storeForVerbs(stash: PgStash): Promise<void> {
  await stash.namespace('n').setMany(Array.from({ length: 20 }, (_, at) => ({ key: `k${at}`, value: at })))
  await new Sessions({ stash }).set('s', { n: 1 })
  await new RateLimiter({ stash, limit: 5, windowMs: 60_000 }).consume('k')
}

/** Each verb once; what it answers, or the code of its error. */
export async function answersOf(stash: PgStash): Promise<Record<string, unknown>> {
  const cache = stash.namespace('n')
  const sessions = new Sessions({ stash, userId: () => 'u' })
  const limiter = new RateLimiter({ stash, limit: 5, windowMs: 60_000 })
  const keys = async () => {
    const found: string[] = []
    for await (const key of cache.keys()) found.push(key)
    return found
  }
  const verbs: Record<string, () => Promise<unknown>> = {
    get: () => cache.get('k1'),
    getMany: () => cache.getMany(['k1', 'k2']),
    getEntry: () => cache.getEntry('k1'),
    has: () => cache.has('k1'),
    ttl: () => cache.ttl('k1'),
    keys,
    set: () => cache.set('k1', 1),
    add: () => cache.add('new', 1),
    increment: () => cache.increment('k1'),
    touch: () => cache.touch('k1', 60_000),
    take: () => cache.take('k2'),
    delete: () => cache.delete('k3'),
    deleteByPrefix: () => cache.deleteByPrefix('k4'),
    clear: () => stash.namespace('other').clear(),
    tenantStats: () => stash.tenant('default').stats(),
    'session get': () => sessions.get('s'),
    'session set': () => sessions.set('t', { n: 2 }),
    'session touch': () => sessions.touch('s', {}),
    'session list': () => sessions.listByUser('u'),
    'session destroy': () => sessions.destroy('s'),
    consume: () => limiter.consume('k'),
    peek: () => limiter.peek('k'),
    reset: () => limiter.reset('k'),
    stats: () => stash.stats(),
    sweep: () => stash.sweep(),
  }
  const answers: Record<string, unknown> = {}
  for (const [name, verb] of Object.entries(verbs))
    answers[name] = await verb().catch(({ code, reason }) => [code, reason].filter(Boolean).join(' '))
  return answers
}
