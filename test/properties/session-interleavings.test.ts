import fc from 'fast-check'
import pg from 'pg'
import { beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { type SessionData, Sessions } from '../../src/stash/sessions/store'
import { freshSchema } from '../support/bodies'
import { rounds } from '../support/depth'

const schema = freshSchema()
const ids = ['a', 'b']

/** What one of several requests does next; each holds what it read, be it of another id, and is served by one of two stashes. */
type Step =
  | {
      readonly does: 'read' | 'destroy' | 'expire' | 'touch' | 'save' | 'resave'
      readonly request: number
      readonly id: number
      /** Of what is saved. */
      readonly isCopy: boolean
    }
  | { readonly does: 'sweep' }

const request = fc.nat(3)
const id = fc.nat(ids.length - 1)
const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    does: fc.constantFrom('read' as const, 'destroy' as const, 'expire' as const, 'touch' as const),
    request,
    id,
    isCopy: fc.constant(false),
  }),
  fc.record({ does: fc.constantFrom('save' as const, 'resave' as const), request, id, isCopy: fc.boolean() }),
  fc.constant({ does: 'sweep' as const }),
)

/** What stands in the model: its data, told by the number of the write, and its version. */
interface Stored {
  readonly write: number
  readonly version: number
  readonly isLive: boolean
}

/** What a request holds: its object, and which version of which id it knows. */
interface Held {
  session: SessionData
  readonly known: Map<string, number>
}

describe('whatever requests of several processes do to two sessions', () => {
  const stashes = [0, 1].map(() => new PgStash({ connectionString: inject('postgresUrl'), schema, timeoutMs: 60_000 }))
  let programs = 0

  beforeAll(async () => {
    for (const stash of stashes) await stash.ready()
    return async () => {
      for (const stash of stashes) await stash.close()
      const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
      await pool.query(`drop schema ${schema} cascade`)
      await pool.end()
    }
  })

  const cookie = () => ({ expires: new Date(Date.now() + 600_000) })

  it('no update is lost, no logout undone, and nothing refused that could be stored', {
    timeout: 120_000,
  }, async () => {
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 40 }), async (steps) => {
        programs += 1
        const namespace = `round-${programs}`
        const sessions = stashes.map((stash) => new Sessions({ stash, namespace, lostUpdates: 'reject' }))
        const stored = new Map<string, Stored>()
        const held = new Map<number, Held>()
        let writes = 0
        let versions = 0
        for (const name of ids) {
          writes += 1
          versions += 1
          await (sessions[0] as Sessions).set(name, { cookie: cookie(), write: writes })
          stored.set(name, { write: writes, version: versions, isLive: true })
        }
        for (const one of steps) {
          if (one.does === 'sweep') {
            await stashes[0]?.sweep()
            continue
          }
          const name = ids[one.id] as string
          const store = sessions[one.request % 2] as Sessions
          const now = stored.get(name)
          if (one.does === 'destroy') {
            expect(await store.destroy(name)).toBe(now?.isLive === true)
            stored.delete(name)
          } else if (one.does === 'expire') {
            await pool.query(
              `update ${schema}.session set expires_at = expires_at - 700000 where namespace = $1 and id = $2`,
              [namespace, name],
            )
            if (now) stored.set(name, { ...now, isLive: false })
          } else if (one.does === 'read') {
            const found = await store.get(name)
            expect(found?.write).toBe(now?.isLive ? now.write : undefined)
            if (found) held.set(one.request, { session: found, known: new Map([[name, now?.version as number]]) })
          } else if (one.does === 'touch') {
            await store.touch(name, { cookie: cookie() })
          } else {
            const holding = held.get(one.request)
            if (holding === undefined) continue
            const known = holding.known.get(name)
            const given = one.isCopy ? { ...holding.session } : holding.session
            given.cookie = cookie()
            writes += 1
            if (one.does === 'save') given.write = writes
            const isStored = known === undefined || now?.version === known
            const isGone = known !== undefined && now === undefined
            const call = store.set(name, given)
            if (isStored || isGone) await call
            else if (one.does === 'save')
              await expect(call).rejects.toMatchObject({ code: 'ERR_PGSTASH_VERSION_CONFLICT' })
            else
              await call.catch((error: { code?: unknown }) => expect(error.code).toBe('ERR_PGSTASH_VERSION_CONFLICT'))
            if (isStored) {
              const write = given.write as number
              const isKept = now?.write === write && (now.isLive || known !== undefined)
              if (!isKept) versions += 1
              stored.set(name, { write, version: isKept ? now.version : versions, isLive: true })
            }
            // Whoever goes on with an object that was written, or refused, begins anew: the model knows what was read only.
            held.delete(one.request)
          }
        }
        for (const name of ids) {
          const now = stored.get(name)
          expect((await sessions[0]?.get(name))?.write).toBe(now?.isLive ? now.write : undefined)
        }
      }),
      { numRuns: rounds({ shallow: 20, deep: 200 }) },
    )
    await pool.end()
  })
})
