import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import type { PgStash } from '../../src/stash/pg-stash'
import { describeBodies } from '../support/bodies'
import { rounds } from '../support/depth'
import { poison, Run, steps } from './programs'

/** Apart by a column, and by row-level security. */
const isolations = ['column', 'rls'] as const

/** Together more than 1,000 programs on each body, where they are deep. */
const sequentialRuns = rounds({ shallow: 40, deep: 400 })
const concurrentRuns = rounds({ shallow: 60, deep: 600 })
const timedRuns = rounds({ shallow: 8, deep: 24 })
const poisonedRuns = rounds({ shallow: 10, deep: 100 })

for (const isolation of isolations) {
  describeBodies(`any program, tenants apart by ${isolation}`, (body) => {
    let stash: PgStash
    let runs = 0
    const run = () => new Run(stash, runs++)

    beforeAll(async () => {
      stash = isolation === 'rls' ? await body.openIsolated() : body.open()
      await stash.ready()
    })

    it('does in sequence what the model does', { timeout: 300_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(steps(false), (program) => run().sequential(program)),
        { numRuns: sequentialRuns },
      )
    })

    it('does at once, un-awaited, what the model does one after the other', { timeout: 300_000 }, async () => {
      await fc.assert(
        fc.asyncProperty(steps(false), (program) => run().concurrent(program)),
        { numRuns: concurrentRuns },
      )
    })

    it('does the same when entries expire', { timeout: 300_000 }, async () => {
      await fc.assert(
        // Side by side: most of the time is waiting.
        fc.asyncProperty(fc.array(steps(true), { minLength: 8, maxLength: 8 }), async (programs) => {
          await Promise.all(programs.map((program) => run().sequential(program)))
        }),
        { numRuns: timedRuns / 8, endOnFailure: true },
      )
    })

    // The trigger is the owner's to make; who then writes makes no difference to it.
    it.runIf(isolation === 'column')(
      'lets the neighbours of a failing entry through',
      { timeout: 300_000 },
      async () => {
        const poisoned = body.open()
        await poisoned.ready()
        const { schema } = poisoned
        await body.sql(`create function ${schema}.refuse() returns trigger language plpgsql as $$
      begin if new.key = '${poison}' then raise exception 'poisoned'; end if; return new; end $$`)
        await body.sql(
          `create trigger refuse before insert on ${schema}.entry for each row execute function ${schema}.refuse()`,
        )
        const keys = fc.array(fc.oneof({ weight: 5, arbitrary: fc.nat(40).map(String) }, fc.constant(poison)), {
          minLength: 1,
          maxLength: 60,
        })
        await fc.assert(
          fc.asyncProperty(keys, fc.nat(), async (names, seed) => {
            const cache = poisoned.namespace(`n${seed}-${runs++}`)
            const settled = await Promise.allSettled(names.map((key, at) => cache.set(key, at)))
            expect(settled.map(({ status }) => status)).toEqual(
              names.map((key) => (key === poison ? 'rejected' : 'fulfilled')),
            )
            const found = await cache.getMany(names)
            expect(found).toEqual(names.map((key) => (key === poison ? undefined : names.lastIndexOf(key))))
          }),
          { numRuns: poisonedRuns },
        )
      },
    )
  })
}
