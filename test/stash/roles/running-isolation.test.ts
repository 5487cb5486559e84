import { describe, expect, inject, it } from 'vitest'
import type { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { answersOf, storeForVerbs } from '../../support/answers-of-verbs'
import { IsolatedSchema } from '../../support/schemas/isolated'
import { hasPgBouncer, PgBouncer } from '../../support/servers/pgbouncer'

const url = inject('postgresUrl')

/** Without row-level security, with what an application has stored; the app's role has its grants. */
async function columnSchema(): Promise<IsolatedSchema> {
  const made = await IsolatedSchema.empty(url)
  const owner = made.open({ connectionString: made.urlOf(made.owner), isolation: 'column', sweeper: false })
  await owner.migrate()
  await owner.grantTo(made.app)
  await storeForVerbs(owner)
  return made
}

/** Callers of a stash, over and over until they are told to end; what they were answered wrongly. */
class Load {
  readonly wrong: unknown[] = []
  readonly destroyed: string[] = []
  readonly #callers: Promise<unknown>
  #hasReturned = false
  #isOver = false

  constructor(readonly stash: PgStash) {
    this.#callers = Promise.all(Array.from({ length: 8 }, (_, at) => this.#call(at)))
  }

  migrateHasReturned(): void {
    this.#hasReturned = true
  }

  async end(): Promise<void> {
    this.#isOver = true
    await this.#callers
  }

  async #call(at: number): Promise<void> {
    for (let round = 0; !this.#isOver; round += 1) await Promise.all([this.#entries(at), this.#session(at, round)])
  }

  /** Before migrate has returned a plain answer is right; undefined never is. */
  async #entries(at: number): Promise<void> {
    const cache = this.stash.namespace('n')
    const wasReturned = this.#hasReturned
    const answers = await Promise.allSettled([cache.get(`k${at}`), cache.getMany([`k${at}`]), cache.set(`k${at}`, at)])
    const [one, many, set] = answers
    if (one.status === 'fulfilled' && (wasReturned || one.value !== at)) this.wrong.push(['get', one.value])
    if (many.status === 'fulfilled' && (wasReturned || many.value[0] !== at)) this.wrong.push(['getMany', many.value])
    if (set.status === 'fulfilled' && wasReturned) this.wrong.push(['set'])
  }

  async #session(at: number, round: number): Promise<void> {
    const sessions = new Sessions({ stash: this.stash })
    const id = `${at}-${round}`
    try {
      await sessions.set(id, { n: round })
      if ((await sessions.get(id)) === undefined) this.wrong.push(['session get', id])
      await sessions.destroy(id)
      this.destroyed.push(id)
    } catch {
      // Refused, as it should be.
    }
  }
}

describe('an application that runs with isolation column while row-level security is forced beside it', () => {
  const ways = [
    ['straight to the server', undefined],
    ...(hasPgBouncer ? [['behind PgBouncer in transaction mode', PgBouncer.before] as const] : []),
  ] as const

  it.each(ways)('%s: is answered nothing empty, nothing as done, and from then on the reason', async (_, before) => {
    const made = await columnSchema()
    const bouncer = await before?.(url, made.app)
    const connectionString = bouncer?.url ?? made.urlOf(made.app)
    const app = made.open({ connectionString, isolation: 'column', migrate: false, sweeper: false })
    await app.ready()
    const load = new Load(app)
    await new Promise((resolve) => setTimeout(resolve, 50))
    await made.openOwner().migrate()
    load.migrateHasReturned()
    const answers = await answersOf(app)
    await load.end()
    expect(load.wrong).toEqual([])
    expect(load.destroyed.length).toBeGreaterThan(0)
    const ids = load.destroyed.map((id) => `'${id}'`).join(', ')
    expect(await made.admin(`select id from ${made.schema}.session where id in (${ids})`)).toEqual([])
    expect(new Set(Object.values(answers))).toEqual(new Set(['ERR_PGSTASH_UNSAFE_ROLE isolated']))
    expect(await made.admin(`select count(*)::int from ${made.schema}.session where id = 's'`)).toEqual([[1]])
    await app.close()
    await bouncer?.stop()
    await made.drop()
  })

  it('shows plain SQL of the same role nothing, and does not fail it', async () => {
    const made = await columnSchema()
    await made.openOwner().migrate()
    await made.admin(`set role ${made.app}`)
    expect(await made.admin(`select count(*)::int from ${made.schema}.entry`)).toEqual([[0]])
    await made.admin('reset role')
    expect(await made.admin(`select count(*)::int from ${made.schema}.entry`)).toEqual([[20]])
    await made.drop()
  })
})

describe("the application's role, changed under a running application", () => {
  it('to one that no policy holds for: tenants stay apart by the statements, doctor and the next start refuse', async () => {
    const made = await IsolatedSchema.make(url)
    const app = made.open()
    await app.tenant('a').namespace('n').set('k', 'of a')
    await made.admin(`alter role ${made.app} bypassrls`)
    expect(await app.tenant('b').namespace('n').get('k')).toBeUndefined()
    expect(await app.tenant('a').namespace('n').get('k')).toBe('of a')
    const { checks } = await app.doctor()
    expect(checks.find(({ name }) => name === 'isolation')).toMatchObject({
      status: 'fail',
      detail: expect.stringContaining('BYPASSRLS'),
    })
    await expect(made.open().ready()).rejects.toMatchObject({ reason: 'bypassrls' })
    await made.drop()
  })

  it('by a pool that logs in as another: a call says what that role lacks, and works again with the old one', async () => {
    const made = await columnSchema()
    const stranger = await made.role('stranger')
    await made.admin(`alter role ${made.app} set role to ${stranger}; grant ${stranger} to ${made.app}`)
    const app = made.open({ isolation: 'column', migrate: false })
    await expect(app.namespace('n').get('k1')).rejects.toMatchObject({ code: 'ERR_PGSTASH_PRIVILEGE' })
    await made.admin(`alter role ${made.app} reset role`)
    expect(await made.open({ isolation: 'column', migrate: false }).namespace('n').get('k1')).toBe(1)
    await made.drop()
  })

  it('from the owner to one that the policies hold for: a stash of isolation column is told, not emptied', async () => {
    const made = await IsolatedSchema.make(url)
    await made.open().namespace('n').set('k', 1)
    const owner = made.open({ connectionString: made.urlOf(made.owner), isolation: 'column', idleTimeoutMillis: 1 })
    expect(await owner.namespace('n').get('k')).toBe(1)
    // New connections of it act as the application's role.
    await made.admin(`grant ${made.app} to ${made.owner}; alter role ${made.owner} set role to ${made.app}`)
    await made.admin(`select pg_terminate_backend(pid) from pg_stat_activity where usename = '${made.owner}'`)
    const answered = async () =>
      owner
        .namespace('n')
        .get('k')
        .catch((error: { code: string }) => error)
    await expect.poll(answered).toMatchObject({ code: 'ERR_PGSTASH_UNSAFE_ROLE', reason: 'isolated' })
    await made.drop()
  })
})
