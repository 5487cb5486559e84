import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, inject, it, onTestFinished } from 'vitest'
import { ListeningBell, type ListeningOptions } from '../../../src/postgres/near/listening-bell'
import { Connections } from '../../../src/stash/connections'
import { resolveOptions } from '../../../src/stash/options/resolved'
import { freshSchema } from '../../support/bodies'
import { FaultyProxy } from '../../support/servers/faulty-proxy'
import { hasPgBouncer, PgBouncer } from '../../support/servers/pgbouncer'
import { TestServer } from '../../support/servers/postgres'

const url = inject('postgresUrl')
const quick = { testEveryMs: 100, testWithinMs: 300, retryMs: 20 }

/** A bell, and what it told. */
async function openBell(schema: string, options: Partial<ListeningOptions> = {}, serverUrl = url) {
  const connections = new Connections(resolveOptions({ connectionString: serverUrl, schema, sweeper: false }), () => {})
  await connections.database.ready()
  const told: string[] = []
  const rings: number[] = []
  const bell = new ListeningBell(
    connections.database,
    { schema, connection: { connectionString: serverUrl }, ...quick, ...options },
    {
      onRing: () => rings.push(performance.now()),
      onHearing: (isHearing, reason) => told.push(isHearing ? 'hears' : `deaf: ${(reason as Error).name}`),
    },
  )
  onTestFinished(async () => {
    await bell.stop()
    await connections.close()
  })
  return { bell, told, rings }
}

async function until(what: () => boolean, withinMs = 10_000): Promise<void> {
  const end = Date.now() + withinMs
  while (!what()) {
    if (Date.now() > end) throw new Error('not in time')
    await sleep(5)
  }
}

describe('a bell', () => {
  it('is heard by the processes of its schema, and by them alone', async () => {
    const schema = freshSchema()
    const [a, b, other] = [await openBell(schema), await openBell(schema), await openBell(freshSchema())]
    for (const { bell } of [a, b, other]) bell.start()
    await until(() => a.bell.isHearing && b.bell.isHearing && other.bell.isHearing)
    await sleep(20)
    const before = [b.rings.length, other.rings.length, a.rings.length] as const
    a.bell.ring()
    await until(() => b.rings.length > before[0])
    await sleep(20)
    expect(other.rings.length).toBe(before[1])
    // Who rang knows what there is to hear.
    expect(a.rings.length).toBe(before[2])
    expect(a.told).toEqual(['hears'])
  })

  it('rings once for many', async () => {
    const schema = freshSchema()
    const [a, b] = [await openBell(schema), await openBell(schema)]
    a.bell.start()
    b.bell.start()
    await until(() => a.bell.isHearing && b.bell.isHearing)
    await sleep(20)
    const before = b.rings.length
    for (let at = 0; at < 1_000; at += 1) a.bell.ring()
    await sleep(200)
    expect(b.rings.length - before).toBeGreaterThanOrEqual(2)
    expect(b.rings.length - before).toBeLessThan(5)
  })

  it('that is not started rings nobody, and one that is stopped hears nothing', async () => {
    const schema = freshSchema()
    const [a, b] = [await openBell(schema), await openBell(schema)]
    b.bell.start()
    await until(() => b.bell.isHearing)
    await sleep(20)
    const before = b.rings.length
    a.bell.ring()
    await sleep(100)
    expect(b.rings.length).toBe(before)
    await b.bell.stop()
    a.bell.start()
    await until(() => a.bell.isHearing)
    a.bell.ring()
    await sleep(100)
    expect(b.rings.length).toBe(before)
    expect(b.bell.isHearing).toBe(false)
  })

  it('notices that its connection is dead though nobody said so, and gets another', async () => {
    const proxy = await FaultyProxy.before(url)
    const { bell, told } = await openBell(freshSchema(), { connection: { connectionString: proxy.url } })
    bell.start()
    await until(() => bell.isHearing)
    proxy.freeze()
    await until(() => !bell.isHearing)
    expect(told).toEqual(['hears', 'deaf: DeafBellError'])
    proxy.thaw()
    await until(() => bell.isHearing)
    await bell.stop()
    await proxy.close()
  })

  it('comes back after the server did', async () => {
    const server = await TestServer.create()
    await server.start()
    const { bell, told } = await openBell(freshSchema(), {}, server.url())
    bell.start()
    await until(() => bell.isHearing)
    await server.stop()
    await until(() => !bell.isHearing)
    await server.start()
    await until(() => bell.isHearing, 20_000)
    expect(told.filter((word) => word === 'hears')).toHaveLength(2)
    await bell.stop()
    await server.remove()
  })

  it.runIf(hasPgBouncer)(
    'does not believe that it hears through a pooler that shares connections by transaction',
    async () => {
      const bouncer = await PgBouncer.before(url)
      const schema = freshSchema()
      const through = await openBell(schema, { connection: { connectionString: bouncer.url } }, bouncer.url)
      through.bell.start()
      await until(() => through.told.length > 0)
      expect(through.told).toEqual(['deaf: DeafBellError'])
      // Past the pooler it does.
      const past = await openBell(schema, { connection: { connectionString: url } }, bouncer.url)
      past.bell.start()
      await until(() => past.bell.isHearing)
      await past.bell.stop()
      await through.bell.stop()
      await bouncer.stop()
    },
  )
})
