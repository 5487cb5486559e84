import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type Server, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createClient } from '@redis/client'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { importRecipes } from '../../../src/cli/import/help'
import { redisAddress } from '../../../src/cli/import/redis/address'
import type { RedisModule } from '../../../src/cli/import/redis/connection'
import { RedisSource, type RedisSourceOptions } from '../../../src/cli/import/redis/source'
import { Import } from '../../../src/stash/import/job'
import { type Body, describePostgres } from '../../support/bodies'
import { type FakeRedisHabits, startFakeRedis } from '../../support/servers/fake-redis'
import { freePort } from '../../support/servers/free-port'
import {
  hasRedisServer,
  hasTls,
  type Redis,
  type RedisCluster,
  startRedisCluster,
  startRedisServer,
  startTlsRedis,
  type TlsRedis,
} from '../../support/servers/redis'

const clients: [version: string, load: () => Promise<unknown>][] = [
  ['5.0', () => import('redis-client-5.0')],
  ['5.8', () => import('redis-client-5.8')],
  ['5', () => import('@redis/client')],
  ['6', () => import('redis-client-6')],
]

const opened: RedisSource[] = []
const open = async (options: Partial<RedisSourceOptions> & { url: string }, client?: unknown) => {
  const source = await RedisSource.open({ keysPerPage: 100, ...options }, client as RedisModule | undefined)
  opened.push(source)
  return source
}

afterEach(async () => {
  for (const source of opened.splice(0)) await source.close()
})

interface Copy {
  /** Value and what is left of its life, by key. */
  readonly entries: Map<string, [value: string, ttl: number | null]>
  readonly skipped: string[]
}

async function all(source: RedisSource, onPage: () => Promise<unknown> = async () => {}): Promise<Copy> {
  const copy: Copy = { entries: new Map(), skipped: [] }
  for await (const { entries, skipped } of source.pages(undefined)) {
    for (const { key, value, ttl } of entries) copy.entries.set(String(key), [String(value), ttl])
    copy.skipped.push(...skipped)
    await onPage()
  }
  return copy
}

const refusal = (work: Promise<unknown>): Promise<{ code: string; message: string }> =>
  work.then(
    () => {
      throw new Error('it was not refused')
    },
    (error) => error,
  )

describe('the address of a Redis', () => {
  const tcp = (host: string, port = 6379) => ({ host, port })
  it.each([
    ['redis://h', { place: tcp('h'), database: 0, isTls: false, name: 'redis://h:6379/0' }],
    ['redis://h/', { database: 0 }],
    ['redis://h/5', { database: 5, name: 'redis://h:6379/5' }],
    ['redis://h?db=5', { database: 5, name: 'redis://h:6379/5' }],
    ['redis://h/5?db=5', { database: 5 }],
    ['REDIS://h:1/15', { place: tcp('h', 1), database: 15 }],
    ['rediss://h', { isTls: true, name: 'rediss://h:6379/0' }],
    ['redis://[::1]:7/2', { place: tcp('::1', 7), name: 'redis://[::1]:7/2' }],
    ['redis://u:p%40%2F%23%25@h/1', { username: 'u', password: 'p@/#%', name: 'redis://h:6379/1' }],
    ['redis://:p@ss@h', { username: undefined, password: 'p@ss', place: tcp('h') }],
    ['redis://u@h', { username: 'u', password: undefined }],
    ['redis+unix:///run/r.sock?db=3', { place: { path: '/run/r.sock' }, database: 3 }],
    ['unix:/run/a%20b.sock', { place: { path: '/run/a b.sock' }, database: 0 }],
    ['unix://u:p@/run/r.sock', { place: { path: '/run/r.sock' }, username: 'u', password: 'p' }],
  ])('%s is read as it was meant', (address, parts) => {
    expect(redisAddress(address)).toMatchObject(parts)
  })

  it.each([
    ['redis://:hunter2@h/5/', 'no number'],
    ['redis://:hunter2@h/%35', 'no number'],
    ['redis://:hunter2@h/five', 'no number'],
    ['redis://:hunter2@h/-1', 'no number'],
    ['redis://:hunter2@h/0x5', 'no number'],
    ['redis://:hunter2@h/5 ?db=5', 'no number'],
    ['redis://:hunter2@h?db=', 'no number'],
    ['redis://:hunter2@h/1?db=2', 'two databases'],
    ['redis://:hunter2@h?db=1&db=2', 'two databases'],
    ['redis://:hunter2@h?tls=true', '\\?tls='],
    ['redis://:hunter2@h?database=5', '\\?database='],
    ['redis://:hunter2@h/0#5', 'has a #'],
    ['redis://:hun#ter2@h/0', 'no address'],
    ['redis://u:12/hunter2@h/0', 'no number'],
    ['redis://u:12?hunter2@h', 'has a \\?'],
    ['redis://:hunter2%@h', 'has a %'],
    ['redis://:hunter2@h%zz/1', 'has a %'],
    ['redis://:hun\tter2@h', 'tab or a line break'],
    ['redis:///5', 'no host'],
    ['redis://:hunter2@h:0', 'port 0'],
    ['redis://:hunter2@h:70000', 'no address'],
    ['unix://host/run/r.sock', 'a host and a socket'],
    ['unix:///', 'no socket'],
    ['redis-sentinel://h:26379/0', 'Sentinel'],
    ['redis+cluster://h', 'a cluster is noticed'],
    ['redis+tls://h', 'no address of Redis'],
    ['valkey://h', 'no address of Redis'],
  ])('%s is refused, and nothing of it is told', (address, problem) => {
    let message = ''
    try {
      redisAddress(address)
    } catch (error) {
      message = String(error)
    }
    expect(message).toMatch(new RegExp(`--from.*${problem}`))
    expect(message).not.toMatch(/hun|ter2/)
  })
})

const bodies: [name: string, isHere: boolean, start: () => Promise<Redis>][] = [
  ['a redis-server', hasRedisServer, () => startRedisServer()],
  ['a fake of it', true, () => startFakeRedis()],
]

describe.each(bodies)('the databases of %s', (_, isHere, start) => {
  describe.runIf(isHere)('that is here', () => {
    let redis: Redis
    const at = (place: string) => redis.url.replace(/\/0$/, place)

    beforeAll(async () => {
      redis = await start()
      for (const database of [0, 1, 5, 15]) {
        const client = await createClient({ url: redis.url, database })
          .on('error', () => {})
          .connect()
        await client.select(database)
        await client.set(`of ${database}`, `${database}`, database === 5 ? { PX: 600_000 } : {})
        client.destroy()
      }
    })
    afterAll(() => redis.close())

    it.each(clients)('are told apart by client %s', async (_version, load) => {
      const client = await load()
      for (const [place, database] of [
        ['', 0],
        ['/0', 0],
        ['/5', 5],
        ['?db=5', 5],
        ['/15', 15],
        ['/?db=1', 1],
      ] as const) {
        const source = await open({ url: at(place) }, client)
        expect(source.name).toBe(at(`/${database}`))
        const { entries } = await all(source)
        expect([...entries.keys()], place).toEqual([`of ${database}`])
        expect(await source.size()).toBe(1)
        expect(source.notes).toEqual([expect.stringMatching(/^Not read: databases .*, with keys too\.$/)])
      }
    })

    it.each(clients)('that are not there are refused by client %s', async (_version, load) => {
      const { code, message } = await refusal(open({ url: at('/16') }, await load()))
      expect(code).toBe('ERR_PGSTASH_IMPORT_SOURCE')
      expect(message).toMatch(/DB index is out of range\. There is no database 16/)
    })
  })
})

describe('a server that says little', () => {
  const servers: Redis[] = []
  const fake = async (habits: FakeRedisHabits) => {
    const redis = await startFakeRedis(habits)
    servers.push(redis)
    return redis.url.slice(0, -2)
  }
  afterEach(async () => {
    for (const redis of servers.splice(0)) await redis.close()
  })

  it('and ignores SELECT is not read', async () => {
    const url = await fake({ ignoresSelect: true })
    expect((await refusal(open({ url: `${url}/5` }))).message).toMatch(/\/5 reads database 0, so nothing was read/)
    expect((await open({ url })).notes).toEqual([])
  })

  it('and is old tells its database by its list', async () => {
    await open({ url: `${await fake({ isOld: true })}/5` })
    const url = await fake({ isOld: true, ignoresSelect: true })
    expect((await refusal(open({ url: `${url}/5` }))).message).toMatch(/reads database 0/)
  })

  it('as a Sentinel does has no keys', async () => {
    const url = await fake({ isSentinel: true })
    expect((await refusal(open({ url }))).message).toMatch(/is a Sentinel.*SENTINEL GET-MASTER-ADDR-BY-NAME/)
  })

  it('not even its database has only the one that nobody has to name', async () => {
    const url = await fake({ knowsNoClients: true })
    expect((await refusal(open({ url: `${url}/5` }))).message).toMatch(/does not say which database it reads/)
    await open({ url: `${url}/0` })
  })
})

describe.runIf(hasRedisServer)('a redis-server', () => {
  const servers: Redis[] = []
  const start = async (...settings: string[]) => {
    const redis = await startRedisServer(settings)
    servers.push(redis)
    return redis
  }
  const send = async (redis: Redis, ...commands: string[][]) => {
    const client = await createClient({ url: redis.url })
      .on('error', () => {})
      .connect()
    for (const command of commands) await client.sendCommand(command)
    client.destroy()
  }
  afterEach(async () => {
    for (const redis of servers.splice(0)) await redis.close()
  })

  it('is read through its socket', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pgstash-sock-'))
    const path = join(directory, 'r.sock')
    const redis = await start('--unixsocket', path)
    await send(redis, ['SELECT', '5'], ['SET', 'k', 'v'])
    for (const [, load] of clients) {
      const copy = await all(await open({ url: `redis+unix://${path}?db=5` }, await load()))
      expect([...copy.entries.keys()]).toEqual(['k'])
    }
    const { message } = await refusal(open({ url: `unix:${path}x` }))
    expect(message).toMatch(/ENOENT.*There is no such socket/)
    await rm(directory, { recursive: true, force: true })
  })

  it('says what it wants to hear', async () => {
    const redis = await start('--requirepass', 'secret%', '--maxclients', '2')
    const as = (who: string) => redis.url.replace('//', `//${who}`)
    expect((await refusal(open({ url: redis.url }))).message).toMatch(/NOAUTH.*It wants a password/)
    const wrong = await refusal(open({ url: as(':wrong@') }))
    expect(wrong.message).toMatch(/WRONGPASS.*Check user and password/)
    expect(wrong.message).not.toContain('wrong@')
    const held = [await open({ url: as(':secret%25@') }), await open({ url: as('default:secret%25@') })]
    expect((await refusal(open({ url: as(':secret%25@') }))).message).toMatch(/max number of clients.*raise maxclients/)
    for (const source of held) expect(source.name).toBe(redis.url)
    expect((await refusal(open({ url: (await start()).url.replace('//', '//:pw@') }))).message).toMatch(
      /without any password.*leave it out|WRONGPASS.*Check user/,
    )
  })

  it('lets in who has the rights that the help names, and says which is missing', async () => {
    const [, rights] = /ACL SETUSER importer on '>password' (.*)/.exec(importRecipes) as unknown as [string, string]
    const redis = await start()
    const user = (given: string) =>
      send(redis, ['ACL', 'SETUSER', 'importer', 'reset', 'on', '>password', ...given.replaceAll("'", '').split(' ')])
    await send(redis, ['SELECT', '2'], ['SET', 'k', 'v'], ['RPUSH', 'l', 'v'])
    const url = redis.url.replace('//', '//importer:password@').replace(/0$/, '2')
    await user(rights)
    expect(await all(await open({ url }))).toEqual({ entries: new Map([['k', ['v', null]]]), skipped: ['list'] })

    for (const right of rights.split(' ').filter((word) => word.startsWith('+') && !/cluster|\+get/.test(word))) {
      await user(rights.replace(right, ''))
      const { message } = await refusal(open({ url }).then((source) => all(source)))
      expect(message, right).toMatch(/NOPERM/)
      expect(message, right).toContain(`ACL SETUSER importer ${right}. `)
    }
    await user(`${rights.replace(/\S*~\*\S*/, '')} %R~other*`)
    expect((await refusal(open({ url }).then((source) => all(source)))).message).toMatch(/ACL SETUSER importer ~\*/)
  })

  it('is told when it is a replica, and when it has lost its primary', async () => {
    const primary = await start()
    const replica = await start('--replicaof', '127.0.0.1', new URL(primary.url).port)
    // On one connection: WAIT waits for what this one wrote.
    await send(primary, ['SET', 'k', 'v'], ['WAIT', '1', '0'])
    const source = await open({ url: replica.url })
    expect(source.notes[0]).toMatch(/^A replica: what its primary wrote/)
    expect((await all(source)).entries.get('k')).toEqual(['v', null])
    await primary.close()
    servers.splice(0, 1)
    await expect.poll(async () => (await open({ url: replica.url })).notes.length, { timeout: 10_000 }).toBe(2)
  })

  it('that becomes the replica of another while it is read is noticed', async () => {
    const [redis, other] = [await start(), await start()]
    await send(redis, ['SET', 'k', 'v'])
    const source = await open({ url: redis.url })
    const before = await source.epoch()
    await send(redis, ['REPLICAOF', '127.0.0.1', new URL(other.url).port])
    expect(await refusal(all(source))).toMatchObject({
      code: 'ERR_PGSTASH_IMPORT_SOURCE_CHANGED',
      message: expect.stringMatching(/it begins anew/),
    })
    expect(await (await open({ url: redis.url })).epoch()).not.toBe(before)
  })
})

describe('what is no Redis', () => {
  let server: Server
  const sockets = new Set<Socket>()
  const answering = async (onConnection: (socket: Socket) => void) => {
    server = createServer((socket) => {
      sockets.add(socket)
      socket.on('error', () => {})
      onConnection(socket)
    })
    await once(server.listen(0, '127.0.0.1'), 'listening')
    return `redis://127.0.0.1:${(server.address() as { port: number }).port}`
  }
  afterEach(() => {
    for (const socket of sockets) socket.destroy()
    server?.close()
  })

  it.each(clients)('is told by client %s', async (_version, load) => {
    const url = await answering((socket) => socket.once('data', () => socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')))
    expect((await refusal(open({ url }, await load()))).message).toMatch(/no Redis|port of TLS/)
  })

  it('hangs up, is not there, or is nobody', async () => {
    const url = await answering((socket) => socket.once('data', () => socket.end()))
    expect((await refusal(open({ url }))).message).toMatch(/If that is a port of TLS, write rediss:\/\//)
    expect((await refusal(open({ url: `redis://127.0.0.1:${await freePort()}` }))).message).toMatch(
      /ECONNREFUSED.*Nobody listens there/,
    )
    expect((await refusal(open({ url: 'redis://nobody.invalid' }))).message).toMatch(/Nobody knows that host/)
  })
})

describe.runIf(hasTls)('a redis-server with TLS', () => {
  let open_: TlsRedis
  let strict: TlsRedis
  let plain: Redis
  beforeAll(async () => {
    ;[open_, strict, plain] = await Promise.all([startTlsRedis(), startTlsRedis([]), startRedisServer()])
  })
  afterAll(() => Promise.all([open_.close(), strict.close(), plain.close()]))

  const told = (url: string, tls = {}, client?: unknown) => refusal(open({ url, tls }, client)).then((e) => e.message)
  const text = (file: string) => readFileSync(file, 'utf8')

  it.concurrent.each(clients)('is read by client %s as it was named', async (_version, load) => {
    const client = await load()
    const tls = { ca: text(open_.ca) }
    const source = await open({ url: open_.url.replace(/0$/, '5'), tls }, client)
    expect(source.name).toBe(`rediss://localhost:${open_.port}/5`)
    expect((await all(source)).entries.size).toBe(0)
    expect(await told(open_.url, {}, client)).toMatch(/self-signed.*--redis-ca ca\.pem, or NODE_EXTRA_CA_CERTS/)
    const bare = `rediss://127.0.0.1:${open_.port}`
    expect(await told(bare, tls, client)).toMatch(/ALTNAME.*--redis-servername/)
    await open({ url: bare, tls: { ...tls, servername: 'redis.example' } }, client)
    const own = { ca: text(strict.ca), cert: text(strict.cert), key: text(strict.key) }
    await open({ url: strict.url, tls: own }, client)
    expect(await told(strict.url, { ca: text(strict.ca) }, client)).toMatch(/--redis-cert/)
  })

  // Client and server wait for each other until a time limit: meanwhile the others run.
  it.concurrent('is not taken for one without, nor the other way round', async () => {
    expect(await told(`redis://localhost:${open_.port}`)).toMatch(/write rediss:\/\//)
    expect(await told(plain.url.replace('redis:', 'rediss:'))).toMatch(/redis:\/\//)
  })
})

describePostgres('a cluster', (body: Body) => {
  describe.runIf(hasRedisServer)('of three primaries', () => {
    let cluster: RedisCluster
    const keys = Array.from({ length: 900 }, (_, n) => `key:${n}`)

    beforeAll(async () => {
      cluster = await startRedisCluster()
      for (const [n, key] of keys.entries()) {
        const expiry = n % 3 === 0 ? ['PX', '600000'] : []
        await ownerOf(key, (node) => cluster.send(node, 'SET', key, `value ${n}`, ...expiry))
      }
      await ownerOf('a hash', (node) => cluster.send(node, 'HSET', 'a hash', 'f', 'v'))
    })
    afterAll(() => cluster?.close())

    /** Who says MOVED is not the one. */
    async function ownerOf(key: string, ask: (node: number) => Promise<unknown>): Promise<number> {
      for (const node of [0, 1, 2]) {
        const isOwner = await ask(node).then(
          () => true,
          (error: Error) => !error.message.startsWith('MOVED') && Promise.reject(error),
        )
        if (isOwner) return node
      }
      throw new Error(`${key} is nobody's`)
    }

    it.each(clients)('is read whole by client %s, from any of its nodes', async (_version, load) => {
      const client = await load()
      for (const url of cluster.urls) {
        const source = await open({ url }, client)
        expect(source.notes).toEqual(['A cluster: all of its 3 primaries are read.'])
        expect(await source.size()).toBe(keys.length + 1)
        const { entries, skipped } = await all(source)
        expect(skipped).toEqual(['hash'])
        expect([...entries.keys()].sort()).toEqual([...keys].sort())
        for (const [n, key] of keys.entries()) {
          const [value, ttl] = entries.get(key) as [string, number | null]
          expect(value).toBe(`value ${n}`)
          expect(ttl === null).toBe(n % 3 !== 0)
        }
      }
      const some = await all(await open({ url: cluster.urls[0] as string, match: 'key:1*' }, client))
      expect(some.entries.size).toBe(111)
    })

    it('goes on where it stopped, over its nodes', async () => {
      const stash = body.open()
      const source = () => open({ url: cluster.urls[1] as string, keysPerPage: 50 })
      const options = { namespace: 'views', values: 'text' } as const
      let before = 0
      for (;;) {
        const stop = new AbortController()
        let pages = 0
        const onProgress = () => {
          pages += 1
          if (pages === 4) stop.abort()
        }
        const tally = await new Import(stash, await source(), { ...options, onProgress, signal: stop.signal }).run()
        expect(tally.readBefore).toBe(before)
        before += tally.read
        if (!tally.isStopped) break
      }
      expect(before).toBeGreaterThanOrEqual(keys.length)
      const found = await stash.namespace('views').getMany(keys)
      expect(found).toEqual(keys.map((_, n) => `value ${n}`))
    })

    it('has one database', async () => {
      const { message } = await refusal(open({ url: (cluster.urls[0] as string).replace(/0$/, '5') }))
      expect(message).toMatch(/SELECT is not allowed in cluster mode\. There is no database 5/)
    })

    it('is refused while slots move, and when they have moved', async () => {
      const slot = String(await cluster.send(0, 'CLUSTER', 'KEYSLOT', 'key:7'))
      const from = await ownerOf('key:7', (node) => cluster.send(node, 'GET', 'key:7'))
      const to = (from + 1) % 3
      const ids = await Promise.all([0, 1, 2].map(async (node) => String(await cluster.send(node, 'CLUSTER', 'MYID'))))
      const source = await open({ url: cluster.urls[0] as string, keysPerPage: 20 })
      const epoch = await source.epoch()
      let isMoving = false
      const startMoving = async () => {
        if (isMoving) return
        isMoving = true
        await cluster.send(to, 'CLUSTER', 'SETSLOT', slot, 'IMPORTING', ids[from] as string)
        await cluster.send(from, 'CLUSTER', 'SETSLOT', slot, 'MIGRATING', ids[to] as string)
      }
      const changed = { code: 'ERR_PGSTASH_IMPORT_SOURCE_CHANGED', message: expect.stringContaining('it begins anew') }
      expect(await refusal(all(source, startMoving))).toMatchObject(changed)
      expect(await refusal(open({ url: cluster.urls[0] as string }))).toMatchObject(changed)

      const port = new URL(cluster.urls[to] as string).port
      const moving = (await cluster.send(from, 'CLUSTER', 'GETKEYSINSLOT', slot, '100')) as string[]
      for (const key of moving) await cluster.send(from, 'MIGRATE', '127.0.0.1', port, key, '0', '5000')
      for (const node of [to, from, 3 - to - from])
        await cluster.send(node, 'CLUSTER', 'SETSLOT', slot, 'NODE', ids[to] as string)
      expect(await refusal(all(source))).toMatchObject(changed)
      const again = await open({ url: cluster.urls[0] as string })
      expect(await again.epoch()).not.toBe(epoch)
      expect((await all(again)).entries.size).toBe(keys.length)
    })

    it('that is not whole is refused', async () => {
      const [first] =
        String(await cluster.send(0, 'CLUSTER', 'NODES'))
          .match(/myself.*? (\d+)-\d+/)
          ?.slice(1) ?? []
      for (const node of [0, 1, 2]) await cluster.send(node, 'CLUSTER', 'DELSLOTS', first as string)
      const { code, message } = await refusal(open({ url: cluster.urls[0] as string }))
      expect(code).toBe('ERR_PGSTASH_IMPORT_SOURCE')
      expect(message).toMatch(/not whole: 1 of 16384 slots are nobody's/)
    })
  })
})
