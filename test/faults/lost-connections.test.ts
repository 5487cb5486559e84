import pg from 'pg'
import { expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { freshSchema } from '../support/bodies'
import { rounds } from '../support/depth'
import { Load } from '../support/load'
import { FaultyProxy } from '../support/servers/faulty-proxy'
import { sleep } from '../support/sleep'

const losses = rounds({ shallow: 4, deep: 20 })

it(`all connections of a stash are ended, ${losses} times under load: nothing is lost, and the app recovers`, async () => {
  const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
  const schema = freshSchema()
  const stash = new PgStash({ connectionString: inject('postgresUrl'), schema, application_name: schema })
  const load = await Load.on(stash)
  let ended = 0
  for (let round = 0; round < losses; round += 1) {
    await load.recovers(100)
    const { rowCount } = await admin.query(
      'select pg_terminate_backend(pid) from pg_stat_activity where application_name = $1',
      [schema],
    )
    ended += rowCount ?? 0
  }
  await load.recovers()
  const report = await load.stop()
  expect(ended).toBeGreaterThanOrEqual(losses)
  expect(report).toMatchObject({ hanging: [], wrong: [] })
  expect(await load.audit()).toEqual([])
  await stash.close()
  await admin.query(`drop schema ${schema} cascade`)
  await admin.end()
})

it('writes that were done and whose answers are lost are of unknown outcome, each of them', async () => {
  const proxy = await FaultyProxy.before(inject('postgresUrl'))
  const stash = new PgStash({
    connectionString: proxy.url,
    schema: freshSchema(),
    breaker: { failures: 1, cooldownMs: 300 },
  })
  const cache = stash.namespace('a')
  await Promise.all([cache.set('a', 0), stash.namespace('b').increment('b', 1)])
  proxy.swallowAnswers()
  const calls = Promise.allSettled([cache.set('a', 1), cache.increment('b', 1)])
  const direct = new PgStash({ connectionString: inject('postgresUrl'), schema: stash.schema })
  const there = direct.namespace('a')
  // Both are in the database, and nobody was told.
  await expect.poll(() => there.getMany(['a', 'b']), { timeout: 5_000 }).toEqual([1, 1])
  proxy.reset()
  const outcomes = (await calls).map((result) => (result as PromiseRejectedResult).reason)
  expect(outcomes).toMatchObject([
    { code: 'ERR_PGSTASH_CONNECTION', outcome: 'unknown' },
    { code: 'ERR_PGSTASH_CONNECTION', outcome: 'unknown' },
  ])
  await sleep(350)
  await expect.poll(() => cache.get('a').catch((error) => error), { timeout: 5_000 }).toBe(1)
  await stash.close()
  await direct.close()
  await proxy.close()
})
