import { setTimeout as sleep } from 'node:timers/promises'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import type { InvalidationLog } from '../../../src/postgres/near/log'
import type { LogPage, LogPosition } from '../../../src/postgres/near/log-page'
import { type Body, describeBodies, describePostgres, freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { openLog } from './open-log'

interface Poll {
  readonly sentAt: number
  readonly answeredAt: number
  readonly isLost: boolean
}

/** One process that reads the log: what it has seen, and when it was told that it missed something. */
class Reader {
  readonly seen = new Map<string, number>()
  readonly polls: Poll[] = []
  #position: LogPosition | undefined

  constructor(
    readonly log: InvalidationLog,
    readonly betweenMs: number,
    readonly since: (position: LogPosition) => LogPosition = (position) => position,
  ) {}

  async poll(): Promise<void> {
    const sentAt = performance.now()
    const page = await this.log.poll(this.#position && this.since(this.#position))
    this.polls.push({ sentAt, answeredAt: performance.now(), isLost: page.lost !== undefined })
    for (const { nonce } of page.rows) this.seen.set(nonce as string, (this.seen.get(nonce as string) ?? 0) + 1)
    this.#position = page.position
  }

  async run(isOver: () => boolean): Promise<void> {
    while (!isOver()) {
      await this.poll()
      await sleep(Math.random() * this.betweenMs)
    }
  }

  /** Not seen, and not told so either: by the first poll that was sent after the commit was known, or by one that ran beside the commit. */
  misses(id: string, { sentAt, knownAt }: Commit): boolean {
    if (this.seen.has(id)) return false
    const first = this.polls.findIndex((poll) => poll.sentAt >= knownAt)
    return !this.polls.slice(0, first + 1).some((poll) => poll.isLost && poll.answeredAt >= sentAt)
  }

  /** Told to forget everything for nothing: it had polled within the time for which rows are kept. */
  get needlessDrops(): number {
    return this.polls.filter(
      ({ isLost, answeredAt }, at) => isLost && answeredAt - (this.polls[at - 1]?.sentAt ?? 0) < keptMs,
    ).length
  }

  get drops(): number {
    return this.polls.filter(({ isLost }) => isLost).length
  }
}

interface Commit {
  readonly sentAt: number
  readonly knownAt: number
}

interface Outcome {
  readonly written: number
  readonly seenTwice: number
  readonly missed: number
  readonly drops: number[]
  readonly needlessDrops: number
  readonly left: number
  readonly turns: number
}

interface Trial {
  /** Changes a function of the schema: a rule is removed. */
  readonly spoil?: readonly [name: string, from: string, to: string]
  readonly since?: (position: LogPosition) => LogPosition
}

const keptMs = 120
const writers = 24

/**
 * Many connections write, some within savepoints, some roll back, and commit after a while; readers poll at their pace; turns are made and rows removed as
 * in the long run, a thousand times faster.
 */
async function trial(
  body: Body,
  connectionString: string,
  forMs: number,
  { spoil, since }: Trial = {},
): Promise<Outcome> {
  const schema = freshSchema()
  const paces = [4, 60, 1_200]
  const readers: Reader[] = []
  for (const pace of paces) readers.push(new Reader(await openLog({ connectionString, schema, max: 1 }), pace, since))
  if (spoil !== undefined) await rewrite(body, schema, spoil)
  for (const reader of readers) await reader.poll()
  const until = Date.now() + forMs
  const acknowledged = new Map<string, Commit>()
  let next = 0
  const pool = new pg.Pool({ connectionString, max: writers + 2 })
  onTestFinished(() => pool.end())

  const writeUntilEnd = async () => {
    const client = await pool.connect()
    while (Date.now() < until) {
      const ids: string[] = []
      const insertOne = async () => {
        next += 1
        const id = next
        await client.query(`insert into ${schema}.invalidation (kind, nonce, digests) values ('k', ${id}, '{1}')`)
        return String(id)
      }
      await client.query('begin')
      if (Math.random() < 0.5) ids.push(await insertOne())
      if (Math.random() < 0.3) {
        await client.query('savepoint s')
        const id = await insertOne()
        if (Math.random() < 0.5) await client.query('rollback to savepoint s')
        else ids.push(id)
      }
      ids.push(await insertOne())
      await sleep(Math.random() < 0.5 ? Math.random() * 10 : Math.random() * 300)
      if (Math.random() < 0.1) await client.query('rollback')
      else {
        const sentAt = performance.now()
        await client.query('commit')
        const commit = { sentAt, knownAt: performance.now() }
        for (const id of ids) acknowledged.set(id, commit)
      }
    }
    client.release()
  }
  const keepUntilEnd = async () => {
    while (Date.now() < until + 500) {
      await hurry(pool, schema)
      await sleep(15)
    }
  }
  const isOver = () => Date.now() > until + 400
  await Promise.all([
    ...Array.from({ length: writers }, writeUntilEnd),
    keepUntilEnd(),
    ...readers.map((reader) => reader.run(isOver)),
  ])
  for (const reader of readers) await reader.poll()
  const [[left, turns]] = (await body.sql(
    `select (select count(*)::int from ${schema}.invalidation), (select turn::int from ${schema}.incarnation)`,
  )) as [[number, number]]
  const total = (count: (reader: Reader) => number) => readers.reduce((sum, reader) => sum + count(reader), 0)
  return {
    written: acknowledged.size,
    seenTwice: total(({ seen }) => [...seen.values()].filter((times) => times > 1).length),
    missed: total((reader) => [...acknowledged].filter(([id, commit]) => reader.misses(id, commit)).length),
    drops: readers.map(({ drops }) => drops),
    needlessDrops: total((reader) => reader.needlessDrops),
    left,
    turns,
  }
}

/** Time passes: turns are as old as they would be. */
async function hurry(pool: pg.Pool, schema: string): Promise<void> {
  await pool.query(`update ${schema}.incarnation set turned_at = 0`)
  await pool.query(`update ${schema}.turn set at = 0 where at between 1 and ${schema}.now_ms() - ${keptMs}`)
  await pool.query(`select ${schema}.near_keep(1000)`)
}

async function rewrite(body: Body, schema: string, [name, from, to]: readonly [string, string, string]): Promise<void> {
  const [[definition]] = (await body.sql(
    `select pg_get_functiondef(p.oid) from pg_proc p where p.pronamespace = '${schema}'::regnamespace and p.proname = '${name}'`,
  )) as [[string]]
  expect(definition).toContain(from)
  await body.script(definition.replaceAll(from, to))
}

describePostgres('whoever polls the log', (body) => {
  const { connectionString } = body.connection() as { connectionString: string }
  const ms = rounds({ shallow: 4_000, deep: 20_000 })

  it('reads every row once, or is told that it comes too late', async () => {
    const outcome = await trial(body, connectionString, ms)
    // Who polls often enough is never told so, who is slow is; and the log does not grow.
    expect(outcome).toMatchObject({ seenTwice: 0, missed: 0, needlessDrops: 0 })
    expect(outcome.written).toBeGreaterThan(500)
    expect(outcome.drops[2]).toBeGreaterThan(0)
    expect(outcome.turns).toBeGreaterThan(20)
    expect(outcome.left).toBeLessThan(outcome.written / 2)
  })

  it('misses some where those are left out that were running at its last poll', async () => {
    const spoil = ['near_poll', 'where l.xid = any (p_xip)', 'where false and l.xid = any (p_xip)'] as const
    expect((await trial(body, connectionString, ms, { spoil })).missed).toBeGreaterThan(0)
  })

  it('misses some where rows go by the age of their numbers, and not by what a turn sees', async () => {
    const spoil = ['near_keep', 'where pg_visible_in_snapshot(d.xid, v_head.pruned_snap)', 'where true'] as const
    expect((await trial(body, connectionString, ms, { spoil })).missed).toBeGreaterThan(0)
  })

  it('misses some where it does not ask which turn has been pruned', async () => {
    const since = (position: LogPosition) => ({ ...position, turn: Number.MAX_SAFE_INTEGER })
    expect((await trial(body, connectionString, ms, { since })).missed).toBeGreaterThan(0)
  })

  it('sees some twice where it reads all that was running at the oldest open transaction', async () => {
    const since = ({ xip, xmax, ...position }: LogPosition) => ({ ...position, xip: [], xmax: xip[0] ?? xmax })
    expect((await trial(body, connectionString, ms, { since })).seenTwice).toBeGreaterThan(0)
  })
})

describeBodies('a log', (body) => {
  const told = async (log: InvalidationLog, since: LogPosition | undefined): Promise<LogPage> => log.poll(since)

  it('begins with the first poll, and is one for all who read it', async () => {
    const schema = freshSchema()
    const log = await openLog({ ...body.connection(), schema })
    const first = await told(log, undefined)
    expect(first).toMatchObject({ rows: [], pruned: 0, lost: undefined, position: { turn: 0 } })
    const second = await told(await openLog({ ...body.connection(), schema }), first.position)
    expect(second).toMatchObject({ rows: [], lost: undefined })
    expect(second.position.incarnation).toBe(first.position.incarnation)
  })

  it('is another one where it was emptied, or where the server counts from before', async () => {
    const schema = freshSchema()
    const log = await openLog({ ...body.connection(), schema })
    const { position } = await told(log, undefined)
    const later = { ...position, xmax: String(BigInt(position.xmax) + 1_000_000n) }
    expect((await told(log, later)).lost).toBe('incarnation')
    await body.sql(`truncate ${schema}.invalidation, ${schema}.incarnation, ${schema}.turn`)
    expect((await told(log, position)).lost).toBe('incarnation')
  })

  it('carries what was told, once', async () => {
    const schema = freshSchema()
    const log = await openLog({ ...body.connection(), schema })
    await log.mark('acme', 'n')
    const { position } = await told(log, undefined)
    const cache = body.open({ schema, sweeper: false }).tenant('acme').namespace('n')
    await cache.setMany([
      { key: 'a', value: 1 },
      { key: 'b', value: 2 },
    ])
    await cache.clear()
    const page = await told(log, position)
    expect(page.rows.map(({ kind, digests }) => [kind, digests.length])).toEqual([
      ['k', 2],
      ['n', 1],
    ])
    expect((await told(log, page.position)).rows).toEqual([])
  })

  it.each(['stash.sweep()', 'call sweep_all()'])('is kept up by the sweep where nobody reads it: %s', async (how) => {
    const schema = freshSchema()
    const log = await openLog({ ...body.connection(), schema })
    await log.mark('acme', 'n')
    const stash = body.open({ schema, sweeper: false })
    await stash.tenant('acme').namespace('n').set('a', 1)
    const sweep = () => (how === 'stash.sweep()' ? stash.sweep() : body.sql(`call ${schema}.sweep_all()`))
    // Begins the log, makes a turn; a minute later what it saw is removed.
    await sweep()
    await sweep()
    await body.sql(`update ${schema}.turn set at = 0`)
    await body.sql(`update ${schema}.incarnation set turned_at = 0`)
    await sweep()
    expect(await body.sql(`select count(*)::int from ${schema}.invalidation`)).toEqual([[0]])
  })
})
