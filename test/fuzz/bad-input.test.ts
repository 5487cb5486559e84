import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { describePostgres } from '../support/bodies'
import { rounds } from '../support/depth'
import { cacheCalls } from './cache-calls'
import { Canaries } from './canaries'
import type { FuzzedCall } from './fuzzed-call'
import { limitCalls } from './limit-calls'
import type { Recipe } from './recipe'
import { sessionCalls } from './session-calls'
import { stashCalls } from './stash-calls'
import { storeCalls } from './store-calls'
import { judge } from './verdict'
import { type World, worldOf } from './world'

const calls = [...cacheCalls, ...stashCalls, ...sessionCalls, ...limitCalls, ...storeCalls]
const isolations = ['column', 'rls'] as const

/** Cases of a batch run at once. */
const casesOfBatch = 20
const batchesOfCall = rounds({ shallow: 1, deep: 10 })

/** The same cases at every run, so that a run which fails has found what a change broke. FUZZ_SEED=$RANDOM looks for new ones. */
const seed = Number(process.env.FUZZ_SEED ?? 20_261_124)
const leastCases = rounds({ shallow: 5_000, deep: 50_000 })

let cases = 0
const unhandled: unknown[] = []
const note = (error: unknown) => void unhandled.push(error)

beforeAll(() => {
  // What opens a stash of its own finds no server.
  vi.stubEnv('DATABASE_URL', undefined)
  vi.stubEnv('PGHOST', '127.0.0.1')
  vi.stubEnv('PGPORT', '1')
  process.on('unhandledRejection', note)
})

afterAll(() => {
  process.off('unhandledRejection', note)
  vi.unstubAllEnvs()
})

for (const isolation of isolations) {
  describePostgres(`bad input is refused, and harms nobody, tenants apart by ${isolation}`, (body) => {
    let world: World
    let canaries: Canaries

    beforeAll(async () => {
      const stash = isolation === 'rls' ? await body.openIsolated() : body.open()
      world = worldOf(body, stash)
      canaries = new Canaries(world)
      await canaries.plant()
    })

    it.each(calls.map((call) => [call.name, call] as const))('%s', async (_, call) => {
      const batch = fc.array(fc.tuple(...call.args), { minLength: casesOfBatch, maxLength: casesOfBatch })
      await fc.assert(
        fc.asyncProperty(batch, async (all) => {
          cases += all.length
          const faults = await faultsOf(world, call, all)
          await canaries.check()
          expect(faults).toEqual([])
        }),
        // A case is as small as its label: nothing is won by shrinking a batch.
        { numRuns: batchesOfCall, endOnFailure: true, seed },
      )
    })
  })
}

describe('all in all', () => {
  it(`was ${leastCases} cases or more`, () => {
    // A run that picks some of the tests (-t) counts nothing.
    if (cases > leastCases / 2) expect(cases).toBeGreaterThanOrEqual(leastCases)
  })
})

/** What went wrong, each with the call that did it. */
async function faultsOf(world: World, call: FuzzedCall, batch: readonly Recipe[][]): Promise<string[]> {
  const faults = await Promise.all(batch.map((recipes) => faultOf(world, call, recipes)))
  // Rejections are told once the microtasks are done.
  await new Promise((resolve) => setImmediate(resolve))
  const strays = unhandled.splice(0).map((error) => `an unhandled rejection after ${call.name}: ${error}`)
  return [...faults.filter((fault) => fault !== undefined), ...strays]
}

async function faultOf(world: World, call: FuzzedCall, recipes: readonly Recipe[]): Promise<string | undefined> {
  const args = recipes.map((recipe) => recipe.make(world))
  const { allowed, isPromised } = call
  const fault = await judge(() => call.run(world, ...(args as never[])), {
    isRight: (answer) => call.isRight(answer, args),
    allowed,
    isPromised,
  })
  return fault && `${call.name}(${recipes.map(({ label }) => label).join(', ')}) ${fault}`
}
