import { subscribe } from 'node:diagnostics_channel'
import { opened } from './opened.mjs'

const { stash, close } = opened()
const cache = stash.tenant('acme').namespace('views', { ttl: 60_000 })
const answers = {}

const batches = []
subscribe('pgstash:batch', ({ operation, calls }) => batches.push({ operation, calls }))

const { version } = await cache.set('home', { count: 1, text: 'ü', list: [null, 1.5] })
answers.get = await cache.get('home')
answers.miss = await cache.get('nothing')
answers.set = (await cache.set('home', { count: 2 }, { ifVersion: version })).version > version
answers.add = [await cache.add('home', 1), await cache.add('new', 1)]
answers.compareAndSet = (await cache.compareAndSet('home', version, 3)).ok
await cache.set('bytes', new Uint8Array([0, 255]))
answers.bytes = [...(await cache.get('bytes'))]
answers.increments = await Promise.all(Array.from({ length: 3 }, () => cache.increment('n', 7)))
answers.touch = [await cache.touch('home', 5_000), (await cache.ttl('home')) <= 5_000]
answers.take = await Promise.all([cache.take('new'), cache.take('new')])
answers.has = await cache.hasMany(['home', 'new'])

await cache.setMany(Array.from({ length: 1_000 }, (_, at) => ({ key: `k${at}`, value: at })))
batches.length = 0
const values = await Promise.all(Array.from({ length: 1_000 }, (_, at) => cache.get(`k${at}`)))
answers.coalesced = [values.every((value, at) => value === at), batches.length > 0, batches.length < 50]
answers.keys = []
for await (const key of cache.keys({ match: 'k99?' })) answers.keys.push(key)
answers.deleteByPrefix = await cache.deleteByPrefix('k')
answers.delete = await cache.deleteMany(['n', 'n2'])
answers.other = await stash.tenant('globex').namespace('views').get('home')
await cache.clear()
answers.clear = await cache.has('home')

await cache.set('short', 1, { ttl: 20 })
await new Promise((resolve) => setTimeout(resolve, 60))
answers.expired = await cache.get('short')
answers.swept = (await stash.sweep()).expired > 0
answers.metrics = stash.metrics().operations.some(({ operation, calls }) => operation === 'get' && calls > 1_000)

await stash.close()
await close()
console.log(JSON.stringify(answers))
