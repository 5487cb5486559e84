import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { madeSchema } from '../support/bodies'
import { Load } from '../support/load'
import { TestServer } from '../support/servers/postgres'
import { sleep } from '../support/sleep'

const timeoutMs = 500

describe("a caller's pool whose only client somebody holds", () => {
  const open = async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    const stash = new PgStash({ pool, schema: await madeSchema(inject('postgresUrl')), timeoutMs, breaker: false })
    const close = async () => {
      await stash.close()
      await pool.end()
    }
    return { pool, stash, close }
  }

  it('fails the calls in time, and serves them once it is back', async () => {
    const { pool, stash, close } = await open()
    const load = await Load.on(stash)
    await load.recovers()
    const holder = await pool.connect()
    await sleep(2_000)
    holder.release()
    await load.recovers()
    const report = await load.stop()
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(report.slowestMs - report.stalledMs).toBeLessThan(timeoutMs + 100)
    expect(Object.keys(report.failures).filter((label) => !label.startsWith('TIMEOUT'))).toEqual([])
    expect(await load.audit()).toEqual([])
    await close()
  })

  it('holds up a stash that starts for no longer than its time limit', async () => {
    const { pool, stash, close } = await open()
    const holder = await pool.connect()
    const calls = {
      ready: stash.ready(),
      migrate: stash.migrate(),
      sweep: stash.sweep(),
      stats: stash.stats(),
      tenantStats: stash.tenant('t').stats(),
      grantTo: stash.grantTo('nobody'),
      get: stash.namespace('a').get('k'),
    }
    const ended: string[] = []
    for (const [name, call] of Object.entries(calls)) call.catch(() => {}).then(() => ended.push(name))
    await sleep(3 * timeoutMs)
    const endedInTime = [...ended].sort()
    holder.release()
    await Promise.allSettled(Object.values(calls))
    expect(await stash.namespace('a').get('k')).toBeUndefined()
    await close()
    expect(endedInTime).toEqual(Object.keys(calls).sort())
  })
})

describe('a server that has no connection left', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await (
      await TestServer.create(['max_connections=8', 'superuser_reserved_connections=0', 'reserved_connections=0'])
    ).start()
  })
  afterAll(() => server.remove())

  const takeAll = async () => {
    const clients: pg.Client[] = []
    for (;;) {
      const client = new pg.Client(server.url())
      client.on('error', () => {})
      try {
        await client.connect()
        clients.push(client)
      } catch {
        return clients
      }
    }
  }

  it('fails the calls as not sent, and serves them once there is one', async () => {
    const taken = await takeAll()
    const stash = new PgStash({ connectionString: server.url(), timeoutMs, breaker: false })
    const started = performance.now()
    const noRoom = { code: 'ERR_PGSTASH_CONNECTION', outcome: 'not-sent', sqlState: '53300' }
    await expect(stash.namespace('a').set('k', 1)).rejects.toMatchObject(noRoom)
    await expect(stash.namespace('a').get('k')).rejects.toMatchObject(noRoom)
    expect(performance.now() - started).toBeLessThan(2 * timeoutMs)
    await taken.pop()?.end()
    await expect
      .poll(
        () =>
          stash
            .namespace('a')
            .set('k', 1)
            .catch(() => undefined),
        { timeout: 5_000 },
      )
      .toBeDefined()
    await Promise.all(taken.map((client) => client.end()))
    await stash.close()
  })

  it('takes nothing from the load that has connections, but where it asks for more', async () => {
    const stash = new PgStash({ connectionString: server.url(), timeoutMs: 5_000 })
    const load = await Load.on(stash)
    await load.recovers(50)
    const admin = new pg.Client(server.url())
    await admin.connect()
    const taken = await takeAll()
    // The stash's connections are lost, and somebody else is faster to take their place.
    await admin.query(`select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgstash'`)
    taken.push(...(await takeAll()))
    await sleep(500)
    await Promise.all(taken.map((client) => client.end()))
    await load.recovers()
    const report = await load.stop()
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(Object.keys(report.failures).filter((label) => !/^(CONNECTION|CIRCUIT_OPEN)/.test(label))).toEqual([])
    expect(await load.audit()).toEqual([])
    await admin.end()
    await stash.close()
  })
})
