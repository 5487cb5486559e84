import { expect, it } from 'vitest'
import { describePostgres, freshSchema } from '../../support/bodies'
import { sleep } from '../../support/sleep'

describePostgres('loads of a namespace that is held near', (body) => {
  it('answers from memory, and lets go of what is expired, here and elsewhere', async () => {
    const schema = freshSchema()
    const [stash, other] = [body.open({ schema, sweeper: false }), body.open({ schema, sweeper: false })]
    const cache = stash.namespace('n', { near: true, ttl: 60_000, grace: 60_000 })
    let loads = 0
    const load = () => ({ load: ++loads })
    expect(await cache.getOrSet('k', load)).toEqual({ load: 1 })
    await expect
      .poll(async () => {
        const before = stash.near.stats().hits
        await cache.getOrSet('k', load)
        return stash.near.stats().hits > before
      })
      .toBe(true)
    expect(loads).toBe(1)
    expect(await cache.expire('k')).toBe(true)
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getOrSet('k', load, { softTimeoutMs: 5_000 })).toEqual({ load: 2 })
    expect(await cache.get('k')).toEqual({ load: 2 })
    await other.namespace('n').expire('k')
    await stash.near.sync()
    expect(await cache.get('k')).toBeUndefined()
    expect(await cache.getOrSet('k', load)).toEqual({ load: 2 })
    await sleep(50)
    expect(await cache.get('k')).toEqual({ load: 3 })
  })

  it('waits at the end for what goes on in the background', async () => {
    const schema = freshSchema()
    const [stash, other] = [body.open({ schema, sweeper: false }), body.open({ schema, sweeper: false })]
    const cache = stash.namespace('n')
    await cache.set('k', 'old', { ttl: 1, grace: 60_000 })
    await sleep(5)
    const load = async () => {
      await sleep(100)
      return 'new'
    }
    expect(await cache.getOrSet('k', load)).toBe('old')
    await stash.close()
    expect(await other.namespace('n').get('k')).toBe('new')
    await expect(cache.getOrSet('k', load)).rejects.toMatchObject({ code: 'ERR_PGSTASH_CLOSED' })
  })
})
