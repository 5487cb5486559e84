import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import type { Cache } from '../../../src/stash/entries/cache'
import type { PgStash } from '../../../src/stash/pg-stash'
import { type Body, describePostgres, freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'

/** A rule of the SQL, and how it reads where it is left out. */
interface Removal {
  readonly of: string
  readonly rule: string | RegExp
  readonly without: string
}

/** The functions as they are, or with a rule left out; all of the text that is to go has to be there. */
async function leaveOut(body: Body, { schema }: PgStash, { of, rule, without }: Removal): Promise<void> {
  const [[text]] = (await body.sql(`select pg_get_functiondef('${schema}.${of}'::regproc)`)) as [[string]]
  const changed = text.replace(rule, without)
  expect(changed).not.toBe(text)
  await body.script(changed)
}

const look = '"schema".tags_hold'

describePostgres('tags beside writes', (body) => {
  const opened = async (removal?: Removal) => {
    const schema = freshSchema()
    const stash = body.open({ schema, sweeper: false })
    await stash.ready()
    if (removal) {
      const rule = typeof removal.rule === 'string' ? removal.rule.replaceAll('"schema"', schema) : removal.rule
      await leaveOut(body, stash, { of: removal.of, rule, without: removal.without.replaceAll('"schema"', schema) })
    }
    return { stash, cache: stash.namespace('n') }
  }

  /**
   * `work` waits for the row of a tagged entry, as it sees it: stored under a number that still is the tag's. Meanwhile the tag is deleted by, and who holds the row stores the
   * entry anew, under the new number, with the value 7.
   */
  async function storedAnewMeanwhile<T>(
    { stash, cache }: { stash: PgStash; cache: Cache },
    work: () => Promise<T>,
  ): Promise<T> {
    await cache.set('k', 5, { tags: ['a'] })
    const holder = new pg.Client(inject('postgresUrl'))
    await holder.connect()
    const { pid } = (await holder.query('select pg_backend_pid() as pid')).rows[0]
    await holder.query(`begin; select from ${stash.schema}.entry where key = 'k' for update`)
    const working = work()
    const waiting = `select count(*) from pg_stat_activity where ${pid} = any (pg_blocking_pids(pid))`
    await expect.poll(async () => Number((await body.sql(waiting))[0]?.[0]), { timeout: 10_000 }).toBe(1)
    await body.sql(`select ${stash.schema}.bump_tags(array['default'], array['n'], array['a'], null)`)
    await holder.query(`select ${stash.schema}.set_tagged_entries(
      array['default'], array['n'], array['k'], null, array['i'], array['7'], null, null, array['n'], array['{a}'], null, null)`)
    await holder.query('commit')
    await holder.end()
    return working
  }

  /** Each verb, what it has to find (the entry that was stored last), and what it must not do instead where the rule is left out. */
  const verbs: Record<
    string,
    { ask: (cache: Cache) => Promise<unknown>; right: unknown; removal: Removal; wrong: unknown }
  > = {
    take: {
      ask: async (cache) => [await cache.take('k'), await cache.get('k')],
      right: [7, undefined],
      // The tags are looked at in the statement that deletes.
      removal: {
        of: 'take_entries_told',
        rule: 'case when e.generation < 0 then e.tags end',
        without: `case when e.generation < 0 and not ${look}(e.tenant, e.tags) then array[0] end`,
      },
      // Nobody ever got it.
      wrong: [undefined, undefined],
    },
    delete: {
      ask: async (cache) => [await cache.delete('k'), await cache.get('k')],
      right: [true, undefined],
      removal: {
        of: 'take_entries_told',
        rule: 'case when e.generation < 0 then e.tags end',
        without: `case when e.generation < 0 and not ${look}(e.tenant, e.tags) then array[0] end`,
      },
      wrong: [false, undefined],
    },
    add: {
      ask: async (cache) => [await cache.add('k', 'new'), await cache.get('k')],
      right: [false, 7],
      removal: {
        of: 'add_entries_told',
        rule: 'where e.expires_at <= excluded.written_at or ',
        without: `where e.generation < 0 and not ${look}(e.tenant, e.tags) or e.expires_at <= excluded.written_at or `,
      },
      wrong: [true, 'new'],
    },
    increment: {
      // Two, so that it is the statement for many that waits.
      ask: async (cache) => [
        (await Promise.all([cache.increment('k'), cache.increment('l')]))[0],
        await cache.get('k'),
      ],
      right: [8, 8],
      removal: {
        of: 'increment_entries_told',
        rule: /(when|case when) e\.expires_at <= excluded\.written_at or/g,
        without: `$1 e.generation < 0 and not ${look}(e.tenant, e.tags) or e.expires_at <= excluded.written_at or`,
      },
      wrong: [1, 1],
    },
    set: {
      ask: async (cache) => [typeof (await cache.set('k', 9, { tags: ['a'] })).version, await cache.get('k')],
      right: ['number', 9],
      // The numbers are those of the statement that waited.
      removal: { of: 'set_tagged_entries', rule: /perform \S+tag_entries\(.*\);/, without: '' },
      wrong: ['number', undefined],
    },
    touch: {
      ask: async (cache) => [await cache.touch('k', 60_000), await cache.get('k')],
      right: [true, 7],
      // Looked at in the statement that locks: then it is as if it had been asked between the deletion and the set, which is right too. The verb keeps to the rule of the others.
      removal: {
        of: 'lock_tagged',
        rule: 'and e.generation < 0',
        without: `and e.generation < 0 and ${look}(e.tenant, e.tags)`,
      },
      wrong: [false, 7],
    },
  }

  describe.each(Object.keys(verbs))('%s of an entry that is stored anew, across a deletion, while it waits', (name) => {
    const { ask, right, removal, wrong } = verbs[name] as (typeof verbs)[string]

    it('finds what was stored last', async () => {
      const world = await opened()
      expect(await storedAnewMeanwhile(world, () => ask(world.cache))).toEqual(right)
    })

    it('would not, if the tags were looked at before the row is held', async () => {
      const world = await opened(removal)
      expect(await storedAnewMeanwhile(world, () => ask(world.cache))).toEqual(wrong)
    })
  })

  describe('a sweep that meets an entry which is stored anew while it runs', () => {
    /** The sweep has begun, and is at an entry before it. */
    const swept = async (removal?: Removal) => {
      const { stash, cache } = await opened(removal)
      const { schema } = stash
      // What lies before it: its tags take as long to look at as somebody holds a lock.
      await stash
        .tenant('slow')
        .namespace('n')
        .set('first', 1, { tags: ['a'] })
      await cache.set('k', 5, { tags: ['a'] })
      await cache.deleteByTag('a')
      await body.script(`alter function ${schema}.tags_hold(text, bigint[]) rename to tags_hold_at_once;
        create function ${schema}.tags_hold(p_tenant text, p_tags bigint[]) returns boolean language plpgsql stable as $$
        begin
          if p_tenant = 'slow' then perform pg_advisory_xact_lock_shared(hashtext('${schema}')); end if;
          return ${schema}.tags_hold_at_once(p_tenant, p_tags);
        end $$`)
      const holder = new pg.Client(inject('postgresUrl'))
      await holder.connect()
      await holder.query(`select pg_advisory_lock(hashtext('${schema}'))`)
      const sweeping = stash.sweep()
      const waiting = `select count(*) from pg_locks where locktype = 'advisory' and not granted and objid = (select hashtext('${schema}')::oid)`
      await expect.poll(async () => Number((await body.sql(waiting))[0]?.[0]), { timeout: 10_000 }).toBe(1)
      // Deleted by once more: under the number of now it is not the one that the sweep sees.
      await cache.deleteByTag('a')
      await cache.set('k', 7, { tags: ['a'] })
      await holder.query(`select pg_advisory_unlock(hashtext('${schema}'))`)
      await holder.end()
      await sweeping
      return cache.get('k')
    }

    it('leaves it', async () => {
      expect(await swept()).toBe(7)
    })

    it('would remove it, if it did not look again', async () => {
      const again = / and not \S+tags_hold\(e\.tenant, e\.tags\);/
      expect(await swept({ of: 'sweep_blocks', rule: again, without: ';' })).toBeUndefined()
    })
  })

  it('a set stores the numbers of now: what was deleted by before is not seen again', async () => {
    const { stash, cache } = await opened()
    // Deleted by in a transaction that began long before, and commits late.
    const long = new pg.Client(inject('postgresUrl'))
    await long.connect()
    for (const isolation of ['read committed', 'repeatable read', 'serializable']) {
      await cache.set('before', 1, { tags: ['a'] })
      await long.query(`begin isolation level ${isolation}; select count(*) from ${stash.schema}.entry`)
      await long.query(`select ${stash.schema}.delete_by_tag('default', 'n', 'a')`)
      await cache.set('meanwhile', 1, { tags: ['a'] })
      expect(await cache.getMany(['before', 'meanwhile'])).toEqual([1, 1])
      // Nobody waits for it.
      await cache.deleteByTag(['b'])
      await long.query('commit')
      expect(await cache.getMany(['before', 'meanwhile'])).toEqual([undefined, undefined])
      await cache.set('after', 1, { tags: ['a'] })
      expect(await cache.get('after')).toBe(1)
      await long.query(
        `begin isolation level ${isolation}; select ${stash.schema}.delete_by_tag('default', 'n', 'a'); rollback`,
      )
      expect(await cache.get('after')).toBe(1)
    }
    await long.end()
  })

  it('two transactions that delete by the same tag at once: the second of repeatable read fails with 40001, of read committed it does not', async () => {
    const { stash, cache } = await opened()
    const { schema } = stash
    const [one, other] = [new pg.Client(inject('postgresUrl')), new pg.Client(inject('postgresUrl'))]
    await Promise.all([one.connect(), other.connect()])
    for (const [isolation, code] of [
      ['read committed', undefined],
      ['repeatable read', '40001'],
    ] as const) {
      await cache.set('k', 1, { tags: ['a'] })
      for (const client of [one, other]) {
        await client.query(`begin isolation level ${isolation}; select count(*) from ${schema}.tag`)
        await client.query(`select ${schema}.delete_by_tag('default', 'n', 'a')`)
      }
      await one.query('commit')
      expect(
        await other.query('commit').then(
          () => undefined,
          (error) => error.code,
        ),
      ).toBe(code)
      expect(await cache.get('k')).toBeUndefined()
    }
    await Promise.all([one.end(), other.end()])
  })

  it('processes of a version without tags see a tagged entry as absent, and what they store has none', async () => {
    const { stash, cache } = await opened()
    const { schema } = stash
    await cache.set('k', 5, { tags: ['a'] })
    // These were the statements of versions before.
    const old = (sql: string) => body.sql(sql.replaceAll('pgstash.', `${schema}.`))
    expect(await old(`select value from pgstash.read_value('default', 'n', 'k')`)).toEqual([])
    expect(
      await old(
        `select value from pgstash.entry e where key = 'k' and e.generation = pgstash.generation_of('default', 'n')`,
      ),
    ).toEqual([])
    // Those that are functions know of tags.
    expect(await old(`select ttl from pgstash.read_ttls(array['default'], array['n'], array['k'])`)).toEqual([[null]])
    expect(
      await old(
        `select ord from pgstash.touch_entries(array['default'], array['n'], array['k'], array[null]::bigint[])`,
      ),
    ).toHaveLength(1)
    await old(`select pgstash.write_value('default', 'n', 'k', null, 'i', '6', null, 1)`)
    await cache.deleteByTag('a')
    expect(await cache.get('k')).toBe(6)
  })

  it('a tag is kept for as long as something may be under it, and an hour more', async () => {
    const { stash, cache } = await opened()
    const { schema } = stash
    // An hour, as of the database's clock.
    let hours = 0
    await body.script(`create table ${schema}.clock (hours integer); insert into ${schema}.clock values (0);
      create or replace function ${schema}.now_ms() returns bigint language sql volatile as
      $$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint + (select hours from ${schema}.clock) * 3600000::bigint $$`)
    const after = async (passed: number) => {
      hours += passed
      await body.sql(`update ${schema}.clock set hours = ${hours}`)
      await body.sql(`select ${schema}.sweep_tags(0, 10000)`)
      return (await body.sql(`select tag from ${schema}.tag order by tag collate "C"`)).flat()
    }
    const ttl = 2.5 * 3_600_000
    await cache.set('short', 1, { tags: ['short', 'both'], ttl })
    await cache.set('touched', 1, { tags: ['touched', 'both'], ttl })
    await cache.set('ever', 1, { tags: ['ever'] })
    expect(await cache.touch('touched', 10 * ttl)).toBe(true)
    expect(await after(3)).toEqual(['both', 'ever', 'short', 'touched'])
    expect(await cache.getMany(['short', 'touched', 'ever'])).toEqual([undefined, 1, 1])
    expect(await after(4)).toEqual(['both', 'ever', 'touched'])
    expect(await after(17)).toEqual(['both', 'ever', 'touched'])
    expect(await cache.getMany(['touched', 'ever'])).toEqual([1, 1])
    await cache.deleteByTag(['ever', 'both'])
    // Of the clock of the machine, which did not go on.
    expect(await after(0)).toEqual(['touched'])
    expect(await cache.getMany(['touched', 'ever'])).toEqual([undefined, undefined])
    await cache.set('again', 1, { tags: ['both'] })
    expect(await cache.get('again')).toBe(1)
  })

  describe('transactions that delete by the same tags, each in its own order', () => {
    const deadlocks = async (removal?: Removal) => {
      const { stash } = await opened(removal)
      const tags = Array.from({ length: 30 }, (_, at) => `t${at}`)
      let failures = 0
      const clients = [0, 1].map(() => new pg.Client(inject('postgresUrl')))
      await Promise.all(clients.map((client) => client.connect()))
      for (let round = 0; round < rounds({ shallow: 30, deep: 100 }); round += 1) {
        const ended = clients.map(async (client, at) => {
          const own = at === 0 ? tags : tags.toReversed()
          await client.query(`begin; set local deadlock_timeout = '20ms'`)
          for (const tag of own) await client.query(`select ${stash.schema}.delete_by_tag('default', 'n', '${tag}')`)
          await client.query('commit')
        })
        for (const one of await Promise.allSettled(ended)) {
          if (one.status === 'fulfilled') continue
          expect((one.reason as { code: string }).code).toBe('40P01')
          failures += 1
        }
        for (const client of clients) await client.query('rollback')
      }
      for (const client of clients) await client.end()
      return failures
    }

    it('never wait for each other crosswise', async () => {
      expect(await deadlocks()).toBe(0)
    })

    it('would, if they deleted when they are told to', async () => {
      const removal = {
        of: 'delete_by_tag',
        rule: /insert into[\s\S]*$/,
        without: `select count(*) from unnest(p_tags) as k (tag)
          cross join lateral "schema".bump_tags(array[p_tenant], array[p_namespace], array[k.tag], null) $function$`,
      }
      expect(await deadlocks(removal)).toBeGreaterThan(0)
    })
  })
})
