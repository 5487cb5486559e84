import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import type { PgStash } from '../../src/stash/pg-stash'
import { describePostgres, freshSchema } from '../support/bodies'
import { rounds } from '../support/depth'
import { sleep } from '../support/sleep'
import { History, type Removed } from './tag-history'

const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
const tags = ['x', 'y', 'z']

/** Mulberry32: the same programs at every run. */
function dice(seed: number) {
  let state = seed
  const next = () => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296
  }
  const below = (most: number) => Math.floor(next() * most)
  return {
    below,
    of: <T>(list: readonly T[]): T => list[below(list.length)] as T,
    some: () => tags.filter(() => next() < 0.5),
  }
}

/**
 * Several stashes, each with connections of its own as in processes of their own, read, write and delete by tags at once; people do so in transactions that run long, in every isolation
 * level; the sweep runs all the time, and the clock of the database jumps. What each call may have answered is then judged by when it began and ended.
 */
describePostgres('tags, by several at once', (body) => {
  const play = async (seed: number, change?: (schema: string) => Promise<void>): Promise<Removed> => {
    const schema = freshSchema()
    const first = body.open({ schema, sweeper: false })
    await first.ready()
    // A clock that is set an hour forward and back all the time: nothing here expires, and no answer may depend on it.
    await body.script(`create or replace function ${schema}.now_ms() returns bigint language sql volatile as
      $$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint + floor((random() - 0.5) * 7200000)::bigint $$`)
    await change?.(schema)
    const stashes = [first, ...[1, 2, 3].map(() => body.open({ schema, sweeper: false, isolation: 'column' }))]
    const history = new History()
    let isOver = false
    const actors = [
      ...stashes.flatMap((stash, at) => [0, 1].map((twin) => actor(stash, history, seed * 100 + at * 10 + twin))),
      ...['read committed', 'repeatable read', 'serializable'].map((isolation, at) =>
        transactions(schema, isolation, history, seed * 100 + 90 + at, () => isOver),
      ),
      sweeps(first, () => isOver),
    ]
    const callers = actors.slice(0, stashes.length * 2)
    await Promise.all(callers).finally(() => {
      isOver = true
    })
    await Promise.all(actors)
    return history.judge()
  }

  async function actor(stash: PgStash, history: History, seed: number): Promise<void> {
    const { below, of, some } = dice(seed)
    const cache = stash.namespace('n')
    for (let step = 0; step < 60; step += 1) {
      const key = of(keys)
      const chosen = some()
      // Half of what is stored is under a tag that nobody deletes by: that has to stay.
      const own = below(2) === 0 ? ['kept'] : some()
      switch (below(9)) {
        case 0:
        case 1:
          await history.write(key, own, (value) => cache.set(key, value, { tags: own }))
          break
        case 2:
          await Promise.all(
            keys.slice(0, 3).map((one) => history.write(one, own, (value) => cache.set(one, value, { tags: own }))),
          )
          break
        case 3:
          await history.add(key, own, (value) => cache.add(key, value, { tags: own }))
          break
        case 4:
          await history.deleteByTag(chosen, () => cache.deleteByTag(chosen))
          break
        case 5:
          await history.take(key, () => cache.take<number>(key))
          break
        case 6:
          await history.read(key, () => cache.get<number>(key))
          break
        case 7: {
          const entry = history.read(key, async () => (await cache.getEntry<number>(key))?.value)
          await Promise.all([entry, ...keys.map((one) => history.read(one, () => cache.get<number>(one)))])
          break
        }
        default:
          await cache.touch(key, null)
      }
    }
  }

  /** Deletes by tags as people do: in transactions that have read before, and that run on. */
  async function transactions(
    schema: string,
    isolation: string,
    history: History,
    seed: number,
    isOver: () => boolean,
  ) {
    const { below, some } = dice(seed)
    const client = new pg.Client(inject('postgresUrl'))
    await client.connect()
    while (!isOver()) {
      const chosen = some()
      await history
        .deleteByTag(chosen, async () => {
          await client.query(`begin isolation level ${isolation}`)
          await client.query(`select count(*) from ${schema}.entry`)
          await client.query(`select ${schema}.delete_by_tag('default', 'n', variadic $1::text[])`, [chosen])
          await sleep(below(20))
          await client.query('commit')
        })
        .catch((error: { code?: string }) => {
          // To be tried again, as any other statement of such a transaction.
          if (error.code !== '40001') throw error
          return client.query('rollback')
        })
    }
    await client.end()
  }

  async function sweeps(stash: PgStash, isOver: () => boolean) {
    while (!isOver()) {
      await stash.sweep()
      await sleep(5)
    }
  }

  it('answers nothing that was deleted before it was asked, and loses nothing', { timeout: 300_000 }, async () => {
    for (let seed = 1; seed <= rounds({ shallow: 6, deep: 60 }); seed += 1)
      expect(await play(seed)).toEqual({ reads: expect.any(Number), deleted: [], lost: [] })
  })

  describe('the judge', () => {
    const without = (of: string, rule: string | RegExp, text: string) => async (schema: string) => {
      const [[found]] = (await body.sql(`select pg_get_functiondef('${schema}.${of}'::regproc)`)) as [[string]]
      const changed = found.replace(rule, text)
      expect(changed).not.toBe(found)
      await body.script(changed)
    }

    /** How much is found, in the first of several programs that shows any: the same program takes another course on a machine that is busy. */
    const found = async (change: (schema: string) => Promise<void>, of: (removed: Removed) => readonly unknown[]) => {
      let count = 0
      for (let seed = 1; count === 0 && seed <= 12; seed += 1) count = of(await play(seed, change)).length
      return count
    }

    it('finds what is answered where tags are not looked at', { timeout: 60_000 }, async () => {
      const change = without('tags_hold', /return cardinality.*;/, 'return true;')
      expect(await found(change, ({ deleted }) => deleted)).toBeGreaterThan(0)
    })

    it('finds what is answered where the number is a time', { timeout: 60_000 }, async () => {
      // Of a clock that stands still.
      const change = without('bump_tags', /nextval\(.*?\)/, '5')
      expect(await found(change, ({ deleted }) => deleted)).toBeGreaterThan(0)
    })

    it('finds what is lost where tags that are in use are removed', { timeout: 60_000 }, async () => {
      const change = without('sweep_tags', /t\.kept_until <= v_now/g, 'true')
      expect(await found(change, ({ lost }) => lost)).toBeGreaterThan(0)
    })
  })
})
