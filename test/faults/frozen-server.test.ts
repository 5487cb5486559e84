import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { Load } from '../support/load'
import { durableSettings, TestServer } from '../support/servers/postgres'
import { sleep } from '../support/sleep'

describe('a server whose processes stand still for five seconds under load', () => {
  let server: TestServer

  beforeAll(async () => {
    server = await (await TestServer.create(durableSettings)).start()
  })
  afterAll(() => server.remove())

  it('fails no call that may take longer; fails the others in time, and serves the next ones', async () => {
    const patient = new PgStash({ connectionString: server.url(), schema: 'patient', timeoutMs: 10_000 })
    const hurried = new PgStash({ connectionString: server.url(), schema: 'hurried', timeoutMs: 1_000 })
    const loads = [await Load.on(patient), await Load.on(hurried)] as const
    for (const load of loads) await load.recovers()
    server.freeze()
    await sleep(5_000)
    server.thaw()
    for (const load of loads) await load.recovers()
    const [calm, busy] = [await loads[0].stop(), await loads[1].stop()]
    expect(calm).toMatchObject({ failures: {}, hanging: [], wrong: [] })
    expect(busy).toMatchObject({ hanging: [], wrong: [] })
    expect(Object.keys(busy.failures)).toContain('TIMEOUT unknown')
    expect(busy.slowestMs - busy.stalledMs).toBeLessThan(1_000 + 100)
    // What timed out may still be done until then.
    await sleep(500)
    for (const load of loads) expect(await load.audit()).toEqual([])
    await patient.close()
    await hurried.close()
  })

  it('leaves no call hanging whose signal is aborted, during this and while connections are lost', async () => {
    const stash = new PgStash({ connectionString: server.url(), schema: 'aborted', timeoutMs: 5_000 })
    const signal = () => (Math.random() < 0.5 ? AbortSignal.timeout(1 + Math.floor(Math.random() * 50)) : undefined)
    const load = await Load.on(stash, { signal })
    await load.recovers()
    server.freeze()
    await sleep(1_000)
    server.thaw()
    await load.recovers()
    await server.crash()
    await server.start()
    await load.recovers()
    const report = await load.stop()
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(Object.keys(report.failures)).toContain('ABORTED unknown')
    expect(await load.audit({ hasCrashed: true })).toEqual([])
    await stash.close()
  })
})
