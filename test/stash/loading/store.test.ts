import { expect, it } from 'vitest'
import type { Cache, LoadContext } from '../../../src/stash/entries/cache'
import { type Body, describePostgres, freshSchema } from '../../support/bodies'
import type { Removal } from '../../support/rules/removals'

/** A rule of the store, in the SQL: what a change of another process comes to without it. */
interface Rule {
  readonly change: (cache: Cache) => Promise<unknown>
  readonly after: unknown
  readonly removals: readonly Removal[]
}

const rules: Record<string, Rule> = {
  'the row has the version of the claim': {
    change: (cache) => cache.set('k', 'newer'),
    after: 'newer',
    removals: [{ rule: /and e\.version = v_lease\.seen\s+for update/, without: 'for update' }],
  },
  'the generation is that of the claim': {
    change: (cache) => cache.clear(),
    after: undefined,
    removals: [
      { rule: / or v_lease\.generation <> .*?;/, without: ';' },
      {
        rule: 'then v_lease.generation else ~v_lease.generation end',
        without:
          'then SCHEMA.generation_of(p_tenant[i], p_namespace[i]) else ~SCHEMA.generation_of(p_tenant[i], p_namespace[i]) end',
      },
    ],
  },
  'the tags of the claim still hold': {
    change: (cache) => cache.deleteByTag('t'),
    after: undefined,
    removals: [{ rule: /or v_numbers\[1 :.*/, without: '' }],
  },
  'a tag that is added was not deleted by since': {
    change: (cache) => cache.deleteByTag('added'),
    after: undefined,
    removals: [{ rule: 'where not pg_visible', without: 'where false and not pg_visible' }],
  },
}

describePostgres('what was loaded is stored if', (body) => {
  /** What is there after a load beside which another process has changed it. */
  const loadedBeside = async ({ change, removals }: Rule, isRemoved: boolean) => {
    const schema = freshSchema()
    const [stash, other] = [body.open({ schema, sweeper: false }), body.open({ schema, sweeper: false })]
    await stash.ready()
    if (isRemoved) await leaveOut(body, schema, removals)
    const load = async (context: LoadContext) => {
      context.addTags('added')
      await change(other.namespace('n'))
      return 'loaded'
    }
    expect(await stash.namespace('n').getOrSet('k', load, { tags: ['t'] })).toBe('loaded')
    return other.namespace('n').get('k')
  }

  it.each(Object.keys(rules))('%s', async (name) => {
    const rule = rules[name] as Rule
    expect(await loadedBeside(rule, false)).toBe(rule.after)
    expect(await loadedBeside(rule, true)).toBe('loaded')
  })

  it('the lease is still its own', async () => {
    const schema = freshSchema()
    const [stash, other] = [body.open({ schema, sweeper: false }), body.open({ schema, sweeper: false })]
    await stash.ready()
    const load = async () => {
      // As after a standstill of the process: the lease is over, and somebody else's.
      await body.sql(`update ${schema}.lease set leased_until = 0`)
      await other.namespace('n').getOrSet('k', () => 'of the other')
      return 'loaded'
    }
    expect(await stash.namespace('n').getOrSet('k', load)).toBe('loaded')
    expect(await stash.namespace('n').get('k')).toBe('of the other')
  })

  it('and the sweep leaves the placeholder, what is in its grace, and nothing else', async () => {
    const schema = freshSchema()
    const stash = body.open({ schema, sweeper: false })
    const cache = stash.namespace('n')
    await cache.set('stale', 'old', { ttl: 1, grace: 60_000 })
    await cache.set('dead', 'old', { ttl: 1 })
    const load = async () => {
      await stash.sweep()
      return 'loaded'
    }
    expect(await cache.getOrSet('k', load)).toBe('loaded')
    expect(await cache.get('k')).toBe('loaded')
    const keys = await body.sql(`select key from ${schema}.entry order by key`)
    expect(keys).toEqual([['k'], ['stale']])
    await body.sql(`update ${schema}.entry set grace = 1 where key = 'stale'`)
    await body.sql(`insert into ${schema}.lease (tenant, namespace, key, token) values ('default', 'n', 'gone', 64)`)
    await stash.sweep()
    expect(await body.sql(`select key from ${schema}.entry order by key`)).toEqual([['k']])
    expect(await body.sql(`select key from ${schema}.lease`)).toEqual([])
  })
})

/** All of the text that is to go has to be there. */
async function leaveOut(body: Body, schema: string, removals: readonly Removal[]): Promise<void> {
  let [[text]] = (await body.sql(`select pg_get_functiondef('${schema}.store_loads'::regproc)`)) as [[string]]
  for (const { rule, without } of removals) {
    const changed = text.replace(rule, without.replaceAll('SCHEMA', schema))
    expect(changed).not.toBe(text)
    text = changed
  }
  await body.script(text)
}
