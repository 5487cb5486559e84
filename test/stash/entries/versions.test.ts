import { beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../../src/stash/pg-stash'
import { describeBodies, freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { runNode } from '../../support/processes'

const processes = rounds({ shallow: 3, deep: 8 })
/** Of each process. */
const loops = rounds({ shallow: 400, deep: 2_000 })
const keys = ['k0', 'k1', 'k2', 'k3', 'k4']

/** Every process works on all keys at once, one loop after the other on each. */
const script = (work: string) => `
  import { PgStash } from 'pgstash'
  const stash = new PgStash({ connectionString: process.env.URL, schema: process.env.SCHEMA, timeoutMs: 60_000 })
  const cache = stash.namespace('sums')
  const worker = async (key) => { for (let loop = 0; loop < ${loops / keys.length}; loop += 1) { ${work} } }
  await Promise.all(${JSON.stringify(keys)}.map(worker))
  await stash.close()
`

const compareAndSet = `
  for (let isDone = false; !isDone; ) {
    const { value, version } = await cache.getEntry(key)
    isDone = (await cache.compareAndSet(key, version, value + 1)).ok
  }
`

describe('between processes', () => {
  let stash: PgStash

  beforeAll(async () => {
    stash = new PgStash({ connectionString: inject('postgresUrl'), schema: freshSchema() })
    await stash.ready()
    return () => stash.close()
  })

  it.each([
    ['compareAndSet', compareAndSet],
    ['increment', 'await cache.increment(key)'],
  ])('%s loses no update', { timeout: 240_000 }, async (_, work) => {
    const cache = stash.namespace('sums')
    await cache.setMany(keys.map((key) => ({ key, value: 0 })))
    const env = { URL: inject('postgresUrl'), SCHEMA: stash.schema }
    const ended = await Promise.all(Array.from({ length: processes }, () => runNode(script(work), env)))
    expect(ended.map(({ code, output }) => [code, output])).toEqual(Array(processes).fill([0, '']))
    expect(await cache.getMany(keys)).toEqual(keys.map(() => (processes * loops) / keys.length))
  })
})

describeBodies('the version of a key', (body) => {
  // PGlite is slower by an order, and has one process: fewer show the same there.
  const count =
    body.name === 'PGlite' ? rounds({ shallow: 400, deep: 10_000 }) : rounds({ shallow: 2_000, deep: 100_000 })

  it(`never repeats in ${count} rounds of set and delete`, { timeout: 240_000 }, async () => {
    const cache = body.open().namespace('rounds')
    const versions = new Set<number>()
    for (let round = 0; round < count; round += 400) {
      // Un-awaited, and still one after the other: it is one key.
      const calls = Array.from({ length: 400 }, () => [cache.set('k', round), cache.delete('k')] as const)
      for (const [set, deleted] of calls) {
        versions.add((await set).version)
        expect(await deleted).toBe(true)
      }
    }
    expect(versions.size).toBe(count)
  })

  it('is asked for by set with ifVersion', async () => {
    const cache = body.open().namespace('conditions')
    const { version } = await cache.set('k', 1)
    const written = await cache.set('k', 2, { ifVersion: version })
    expect(written.version).toBeGreaterThan(version)
    await expect(cache.set('k', 3, { ifVersion: version })).rejects.toMatchObject({
      code: 'ERR_PGSTASH_VERSION_CONFLICT',
      expected: version,
      actual: written.version,
    })
    await cache.delete('k')
    await expect(cache.set('k', 3, { ifVersion: written.version })).rejects.toMatchObject({ actual: undefined })
    await expect(cache.setMany([{ key: 'k', value: 3, ifVersion: 1 } as never])).rejects.toMatchObject({
      field: 'ifVersion',
    })
    await expect(cache.set('k', 3, { ifVersion: -1 })).rejects.toMatchObject({ field: 'version' })
    expect(await cache.get('k')).toBeUndefined()
  })
})
