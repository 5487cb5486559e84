import pg from 'pg'
import { expect, it } from 'vitest'
import type { InvalidationLog } from '../../../src/postgres/near/log'
import { type Body, describeBodies, describePostgres, freshSchema } from '../../support/bodies'
import { TestServer } from '../../support/servers/postgres'
import { sleep } from '../../support/sleep'
import { openLog } from './open-log'

/** What a near cache asks before it keeps an answer. */
async function isTold(body: Body, schema: string): Promise<boolean> {
  const [row] = await body.sql(`select uses & 9 = 9 from ${schema}.namespace where tenant = 'acme' and namespace = 'n'`)
  return row?.[0] === true
}

const settledWithin = (marking: Promise<void>, ms: number) =>
  Promise.race([marking.then(() => true), sleep(ms).then(() => false)])

/** A transaction of a process that knows nothing of marks, or that looked before there was one. */
async function withTransaction(
  url: string,
  isolation: string,
  work: (client: pg.Client) => Promise<void>,
): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`begin isolation level ${isolation}`)
  await work(client)
  await client.end()
}

const write = (schema: string, key: string) =>
  `select * from ${schema}.add_entries('{acme}', '{n}', '{${key}}', null, null, '{v}', null)`

describePostgres('a mark', (body) => {
  const { connectionString } = body.connection() as { connectionString: string }

  it.each(['read committed', 'repeatable read', 'serializable'])(
    'counts once every transaction has ended that ran before it, %s',
    async (isolation) => {
      const schema = freshSchema()
      const log = await openLog({ connectionString, schema })
      await withTransaction(connectionString, isolation, async (client) => {
        // Its snapshot, or of read committed its first look at the namespace.
        await client.query(write(schema, 'before'))
        const marking = log.mark('acme', 'n')
        expect(await settledWithin(marking, 400)).toBe(false)
        expect(await isTold(body, schema)).toBe(false)
        await client.query(write(schema, 'after'))
        const [row] = (await client.query(`select count(*)::int as n from ${schema}.invalidation`)).rows
        // The strict ones cannot see the mark: nothing is logged, and nobody may hold what they write.
        expect(row.n).toBe(isolation === 'read committed' ? 1 : 0)
        expect(await isTold(body, schema)).toBe(false)
        await client.query('commit')
        await marking
        expect(await isTold(body, schema)).toBe(true)
      })
    },
  )

  it('counts at once where it counted before, whatever runs', async () => {
    const schema = freshSchema()
    await (await openLog({ connectionString, schema })).mark('acme', 'n')
    await withTransaction(connectionString, 'repeatable read', async (client) => {
      await client.query('select 1')
      await (await openLog({ connectionString, schema })).mark('acme', 'n')
      await client.query('commit')
    })
  })

  it('waits neither for other databases nor for those who came later', async () => {
    const [schema, other] = [freshSchema(), freshSchema()]
    await body.sql(`create database ${other}`)
    const log = await openLog({ connectionString, schema })
    await withTransaction(connectionString.replace(/\/[^/]*$/, `/${other}`), 'repeatable read', async (elsewhere) => {
      await elsewhere.query('select 1')
      await withTransaction(connectionString, 'repeatable read', async (earlier) => {
        await earlier.query('select 1')
        const marking = log.mark('acme', 'n')
        expect(await settledWithin(marking, 300)).toBe(false)
        await withTransaction(connectionString, 'repeatable read', async (later) => {
          await later.query('select 1')
          await earlier.query('commit')
          await marking
          await later.query('commit')
        })
      })
    })
    await body.sql(`drop database ${other} with (force)`)
  })

  it('that was forgotten with its tenant is made anew, and counts anew', async () => {
    const schema = freshSchema()
    const log = await openLog({ connectionString, schema })
    await log.mark('acme', 'n')
    const stash = body.open({ schema, sweeper: false })
    await stash.tenantRows('acme').forget()
    expect(await isTold(body, schema)).toBe(false)
    await withTransaction(connectionString, 'repeatable read', async (client) => {
      await client.query('select 1')
      const marking = log.mark('acme', 'n')
      expect(await settledWithin(marking, 300)).toBe(false)
      // Somebody who waits since the first mark finds that it is not his.
      await body.sql(`delete from ${schema}.namespace`)
      await client.query('commit')
      await marking
    })
    expect(await isTold(body, schema)).toBe(true)
  })

  it('is made for many at once, in any order, by many processes', async () => {
    const schema = freshSchema()
    const logs: InvalidationLog[] = []
    for (let process = 0; process < 4; process += 1) logs.push(await openLog({ connectionString, schema }))
    const names = Array.from({ length: 60 }, (_, at) => [`t${at % 7}`, `n${at}`] as const)
    const shuffled = () => [...names].sort(() => Math.random() - 0.5)
    await Promise.all(logs.flatMap((log) => shuffled().map(([tenant, namespace]) => log.mark(tenant, namespace))))
    const counted = `select count(*) filter (where namespace <> '' and uses = 9)::int, count(*) filter (where namespace = '' and uses = 1)::int`
    expect(await body.sql(`${counted} from ${schema}.namespace`)).toEqual([[60, 7]])
  })

  it('waits for what was prepared before it', async () => {
    const server = await TestServer.create(['max_prepared_transactions=4'])
    await server.start()
    const schema = freshSchema()
    const log = await openLog({ connectionString: server.url(), schema })
    const client = new pg.Client(server.url())
    await client.connect()
    await client.query(`begin; ${write(schema, 'k')}; prepare transaction 'p'`)
    const marking = log.mark('acme', 'n')
    expect(await settledWithin(marking, 400)).toBe(false)
    await client.query(`commit prepared 'p'`)
    await marking
    await client.end()
    await server.remove()
  })
})

describeBodies('a read for a near cache', (body) => {
  it('says whether it may be kept, of what is there and of what is not', async () => {
    const schema = freshSchema()
    const log = await openLog({ ...body.connection(), schema })
    const { addressOf } = await import('../../../src/coalescing/address')
    const stash = body.open({ schema, sweeper: false })
    const cache = stash.tenant('acme').namespace('n')
    await cache.set('a', { x: 1 }, { ttl: 60_000 })
    const { entries } = (await tablesOf(body, schema)).of('acme')
    const ask = () =>
      Promise.all([
        entries.getManyNear(addressOf('acme', 'n'), ['a']),
        entries.getManyNear(addressOf('acme', 'n'), ['a', 'none']),
      ])
    expect((await ask()).flat().map((answer) => answer.isTold)).toEqual([false, false, false])
    await log.mark('acme', 'n')
    const version = (await cache.getEntry('a'))?.version
    const there = {
      isTold: true,
      row: {
        format: 'j',
        text: '{"x":1}',
        version,
        leftMs: expect.any(Number),
        expiresAt: expect.any(Number),
        tags: [],
      },
    }
    expect(await ask()).toEqual([[there], [there, { isTold: true, row: undefined }]])
    await cache.clear()
    expect((await ask()).flat()).toEqual(Array(3).fill({ isTold: true, row: undefined }))
    await cache.set('a', 'for ever')
    expect((await ask())[0][0]?.row).toMatchObject({ text: 'for ever', leftMs: null })
  })

  it('does so of sessions', async () => {
    const schema = freshSchema()
    const log = await openLog({ ...body.connection(), schema })
    const { addressOf } = await import('../../../src/coalescing/address')
    const { OwnSessionTable } = await import('../../../src/postgres/sessions/own-table')
    const { Sessions } = await import('../../../src/stash/sessions/store')
    const table = (await tablesOf(body, schema)).of('acme').of(OwnSessionTable)
    const sessions = new Sessions({ stash: body.open({ schema, sweeper: false }), tenant: 'acme', namespace: 'n' })
    const expires = new Date(Date.now() + 600_000)
    await sessions.set('s', { cookie: { originalMaxAge: 600_000, expires }, user: 'ada' })
    const ask = (id: string) => table.readNear(addressOf('acme', 'n', 'session'), id)
    // Of entries, that is.
    await log.mark('acme', 'n')
    expect(await ask('s')).toMatchObject({ isTold: false, session: { id: 's' } })
    await log.mark('acme', 'n', 'sessions')
    const [there, none] = await Promise.all([ask('s'), ask('none')])
    expect(there).toEqual({
      isTold: true,
      session: await table.read(addressOf('acme', 'n', 'session'), 's').then(anyLeft),
    })
    expect(none).toEqual({ isTold: true, session: undefined })
    await sessions.destroy('s')
    expect(await ask('s')).toEqual({ isTold: true, session: undefined })
  })
})

const anyLeft = <T extends object>(stored: T | undefined) => ({ ...stored, leftMs: expect.any(Number) })

async function tablesOf(body: Body, schema: string) {
  const { Tables } = await import('../../../src/postgres/tables')
  const { Telling } = await import('../../../src/postgres/near/telling')
  const { Coalescer } = await import('../../../src/coalescing/coalescer')
  const { Connections } = await import('../../../src/stash/connections')
  const { resolveOptions } = await import('../../../src/stash/options/resolved')
  const { rowFailures } = await import('../../../src/postgres/wire/row-failures')
  const { onTestFinished } = await import('vitest')
  const options = resolveOptions({ ...body.connection(), schema, sweeper: false })
  const connections = new Connections(options, () => {})
  onTestFinished(() => connections.close())
  const coalescer = new Coalescer({
    ...options,
    readsInFlight: 2,
    writesInFlight: 2,
    failures: rowFailures,
    together: (work) => work(),
    onLook: () => {},
  })
  return new Tables(connections.database, coalescer, options, new Telling())
}
