import type { Address } from '../coalescing/address'
import { StashClosedError } from '../errors'
import type { EntryTable } from '../postgres/entries/table'
import type { Bell } from '../postgres/near/bell'
import type { OwnWrites } from '../postgres/near/own-writes'
import type { Ringer } from '../postgres/near/ringer'
import type { Telling } from '../postgres/near/telling'
import type { Database } from '../postgres/schema/database'
import type { PgPoolOptions } from '../postgres/wire/pg/driver'
import { LoadingVerbs, type NearVerbs } from './entries/verbs'
import type { Near } from './near/house'
import type { ResolvedNearOptions } from './options/near'
import type { ResolvedOptions } from './options/resolved'
import type { NearStats } from './upkeep/near-stats'

interface NearNeeds {
  readonly database: Database
  readonly own: OwnWrites
  readonly telling: Telling
  readonly options: ResolvedOptions
}

/** Where nothing is held near. */
const nothing: NearStats = {
  hits: 0,
  misses: 0,
  fills: 0,
  discardedFills: 0,
  invalidations: 0,
  drops: { incarnation: 0, pruned: 0 },
  entries: 0,
  bytes: 0,
  checkedMsAgo: undefined,
  warming: 0,
  isListening: false,
}

/** What a stash says of what it holds near, over all its namespaces. */
export interface HeldNear {
  /** Hits, misses, what is held, and when the log was looked at last. Asks nobody. */
  stats(): NearStats
  /**
   * Looks at the log now: what any process was acknowledged before this call is seen after it. Does nothing where nothing is held near.
   * @throws {StashClosedError} after `close()`
   * @throws {NearCacheError} the log cannot be read, and never was
   * @throws {ConnectionError} nobody answers
   */
  sync(): Promise<void>
  /** Forgets all that is held in this process. The database keeps what it has. */
  clear(): void
}

/** What a stash holds near of its namespaces. It is loaded, and the log is read, once one of them asks for it: `namespace(name, { near: true })`. */
export class NearDoor implements HeldNear {
  readonly #needs: NearNeeds
  #ringer: Promise<Ringer> | undefined
  #near: Near | undefined
  #opening: Promise<Near> | undefined
  #isClosed = false

  /** Made by the stash. */
  constructor(needs: NearNeeds) {
    this.#needs = needs
    needs.telling.onTold = () => this.#ringForOthers()
  }

  stats(): NearStats {
    return this.#near?.stats() ?? nothing
  }

  /** Whether something was ever held near. */
  get isUsed(): boolean {
    return this.#near !== undefined
  }

  async sync(): Promise<void> {
    if (this.#isClosed) throw new StashClosedError()
    await (await this.#opening)?.sync()
  }

  clear(): void {
    this.#near?.clear()
  }

  /** What a namespace asks of its table, where it is held near. */
  verbs(entries: EntryTable, address: Address, options: ResolvedNearOptions): NearVerbs {
    if (this.#near !== undefined) return this.#near.table(entries, address, options)
    return new LoadingVerbs(this.#open().then((near) => near.table(entries, address, options)))
  }

  /** Runs what empties a tenant. */
  sweepTenant<T>(tenant: string, send: () => Promise<T>): Promise<T> {
    return this.#near === undefined ? send() : this.#near.sweepTenant(tenant, send)
  }

  /** With the stash. */
  async end(): Promise<void> {
    this.#isClosed = true
    await this.#silenceRinger()
    await (await this.#opening?.catch(() => undefined))?.close()
  }

  /** Nothing is near in this process, but somewhere it is: they look at once where they hear of it. */
  #ringForOthers(): void {
    const { database, options } = this.#needs
    if (this.#isClosed || options.near.listen === false || options.pglite !== undefined) return
    this.#ringer ??= import('../postgres/near/ringer').then(({ Ringer }) => new Ringer(database, options.schema))
    this.#ringer.then((ringer) => ringer.ring()).catch(() => {})
  }

  async #silenceRinger(): Promise<void> {
    const ringer = await this.#ringer?.catch(() => undefined)
    ringer?.stop()
  }

  /** What could not be loaded is not there: asked for again, it will not be either. */
  #open(): Promise<Near> {
    this.#opening ??= this.#load()
    return this.#opening
  }

  async #load(): Promise<Near> {
    const [{ Near }, { InvalidationLog }] = await Promise.all([import('./near/house'), import('../postgres/near/log')])
    const { database, own, telling, options } = this.#needs
    const { schema, near: settings } = options
    const log = new InvalidationLog(database, telling, { schema, isScoped: options.isolation === 'rls' })
    const bell = await this.#bell()
    this.#near = new Near({ log, bell, own, settings, schema })
    telling.onTold = () => bell?.ring()
    await this.#silenceRinger()
    return this.#near
  }

  async #bell(): Promise<Bell | undefined> {
    const { database, options } = this.#needs
    const connection = listeningConnection(options)
    if (connection === undefined) return undefined
    const { ListeningBell } = await import('../postgres/near/listening-bell')
    return new ListeningBell(
      database,
      { schema: options.schema, connection },
      {
        onRing: () => this.#near?.ring(),
        onHearing: (isHearing, reason) => this.#near?.hears(isHearing, reason),
      },
    )
  }
}

/** undefined: nothing listens. */
function listeningConnection({
  near: { listen },
  pglite,
  pool,
  poolOptions,
}: ResolvedOptions): PgPoolOptions | undefined {
  if (listen === false || pglite !== undefined) return undefined
  if (typeof listen === 'string' && listen !== 'auto') return { connectionString: listen }
  if (pool === undefined) return poolOptions
  // As `pg` keeps them; the password hides from a spread. What is no pool of `pg` has none, and polls alone.
  const { options } = pool as { readonly options?: PgPoolOptions }
  return options && { ...options, password: options.password }
}
