import claimLoads from '../../../sql/statements/loading/claim.sql'
import releaseLeases from '../../../sql/statements/loading/release.sql'
import renewLeases from '../../../sql/statements/loading/renew.sql'
import storeLoads from '../../../sql/statements/loading/store.sql'
import type { Address } from '../../coalescing/address'
import type { CallOptions } from '../../coalescing/call'
import type { Coalescer } from '../../coalescing/coalescer'
import type { Lane } from '../../coalescing/lane'
import type { LaneRules } from '../../coalescing/lane-rules'
import type { EncodedValue } from '../../entry/codec'
import type { StoredKey } from '../../entry/key'
import type { Tags } from '../../entry/tags'
import type { Telling } from '../near/telling'
import { arrayOf, tagColumns } from '../tags/columns'
import { addressColumns, byPosition } from '../wire/batch-rows'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'

/** That nothing counts as fresh, as `minLeftMs`. */
export const nothingIsFresh = Number.MAX_SAFE_INTEGER

/** How a key is claimed. */
export interface Claim extends StoredKey {
  readonly tags: Tags | undefined
  /** For how long its tags will be needed, in milliseconds; null: for ever. */
  readonly keepMs: number | null
  readonly leaseMs: number
  /** How long the load may take, in milliseconds. */
  readonly maxLoadMs: number
  /** What has no more milliseconds left is not fresh. 0: what has not expired is. */
  readonly minLeftMs: number
  /** The lease is the caller's, whoever has it. */
  readonly takes: boolean
}

/** An entry, not decoded yet: fresh or not. */
export interface FoundEntry {
  readonly format: string
  readonly text: string
  readonly version: number
  /** Epoch milliseconds of the database's clock; null: never. */
  readonly expiresAt: number | null
}

/** What a claim, or a look, answers. */
export interface Claimed {
  /** As it was wanted. */
  readonly isFresh: boolean
  /** The key is the caller's to load. */
  readonly token: number | undefined
  /** Milliseconds for which it is somebody else's, at least; 0: it is not. */
  readonly leftMs: number
  /** What may be served. */
  readonly entry: FoundEntry | undefined
}

/** What is stored of a load. */
export interface LoadedWrite extends StoredKey {
  readonly token: number
  /** undefined: the value that is there stays. */
  readonly value: EncodedValue | undefined
  /** Milliseconds; null: for ever. */
  readonly ttl: number | null
  /** Milliseconds; 0: none. */
  readonly grace: number
  /** Those of the claim. */
  readonly tags: Tags | undefined
  /** Others, of the same scope. */
  readonly added: Tags | undefined
}

/** A lease that is held. */
export interface HeldKey {
  readonly key: string
  readonly token: number
}

/** The verbs on leases, each with its statement. Claims coalesce as writes do. What ends a load does not, and goes on when the stash takes no more calls. */
export class LoadTable {
  readonly #database: StatementRunner
  readonly #coalescer: Coalescer
  readonly #telling: Telling
  readonly #claims: Lane<Claim, Claimed>
  readonly #looks: Lane<null, Claimed>
  readonly #store: Statement
  readonly #renew: Statement
  readonly #release: Statement

  constructor(database: StatementRunner, coalescer: Coalescer, schema: string, telling: Telling) {
    this.#database = database
    this.#coalescer = coalescer
    this.#telling = telling
    const claim = statementOf(claimLoads, schema)
    this.#claims = coalescer.lane(claimRules(database, claim))
    this.#looks = coalescer.lane(lookRules(database, claim))
    this.#store = statementOf(storeLoads, schema)
    this.#renew = statementOf(renewLeases, schema)
    this.#release = statementOf(releaseLeases, schema)
  }

  claim(address: Address, claim: Claim, options?: CallOptions): Promise<Claimed> {
    return this.#coalescer.one(this.#claims, address, { key: claim.key, payload: claim }, same, options)
  }

  claimMany(address: Address, claims: readonly Claim[], options?: CallOptions): Promise<Claimed[]> {
    const keys = claims.map(({ key }) => key)
    return this.#coalescer.many(this.#claims, address, keys, claims, same, options)
  }

  /** What is there, stale or not; nothing is claimed. */
  look(address: Address, key: string, options?: CallOptions): Promise<Claimed> {
    return this.#coalescer.one(this.#looks, address, { key, payload: null }, same, options)
  }

  /** The versions of those that were stored; undefined: something voided the load. */
  async store(address: Address, writes: readonly LoadedWrite[]): Promise<(number | undefined)[]> {
    return inSharedOrder(writes, (sorted) => this.#storeSorted(address, sorted))
  }

  async #storeSorted(address: Address, writes: readonly LoadedWrite[]): Promise<(number | undefined)[]> {
    const requests = writes.map(({ key }) => ({ address, key }))
    const tags = writes.map((write) => write.tags ?? write.added)
    const [scopes] = tagColumns(requests, tags) as [(string | null)[]]
    const values = [
      ...addressColumns(requests),
      writes.map(({ token }) => token),
      writes.map(({ value }) => value?.format ?? null),
      writes.map(({ value }) => value?.text ?? null),
      writes.map(({ ttl }) => ttl),
      writes.map(({ grace }) => grace),
      scopes,
      writes.map((write) => write.tags && arrayOf(write.tags.names)).map(orNull),
      writes.map((write) => write.added && arrayOf(write.added.names)).map(orNull),
    ]
    const rows = await this.#telling.send(requests, (nonce) => this.#database.write(this.#store, [...values, nonce]))
    return byPosition(rows, writes.length).map((row) => row?.[1] as number | undefined)
  }

  /** Which of them still are the caller's. */
  async renew(address: Address, held: readonly HeldKey[], leaseMs: number): Promise<boolean[]> {
    return this.#each(address, held, this.#renew, leaseMs)
  }

  /**
   * Which of them nothing had voided.
   * @param backoffMs for so long nobody is to try again, where something stale is there
   */
  async release(address: Address, held: readonly HeldKey[], backoffMs: number): Promise<boolean[]> {
    return this.#each(address, held, this.#release, backoffMs)
  }

  async #each(address: Address, held: readonly HeldKey[], statement: Statement, ms: number): Promise<boolean[]> {
    return inSharedOrder(held, async (sorted) => {
      const columns = addressColumns(sorted.map(({ key }) => ({ address, key })))
      const tokens = sorted.map(({ token }) => token)
      const rows = await this.#database.write(statement, [...columns, tokens, ms])
      return byPosition(rows, sorted.length).map((row) => row !== undefined)
    })
  }
}

/**
 * As lanes send claims and writes, the same in every process: two statements on the same rows never wait for each other.
 * @returns what `send` answers, in the order of `ones`
 */
async function inSharedOrder<One extends { readonly key: string }, Answer>(
  ones: readonly One[],
  send: (sorted: readonly One[]) => Promise<readonly Answer[]>,
): Promise<Answer[]> {
  const placed = ones.map((one, at) => ({ one, at })).sort((a, b) => (a.one.key < b.one.key ? -1 : 1))
  const answers = await send(placed.map(({ one }) => one))
  const own = new Array<Answer>(ones.length)
  for (const [to, { at }] of placed.entries()) own[at] = answers[to] as Answer
  return own
}

function claimRules(database: StatementRunner, statement: Statement): LaneRules<Claim, Claimed, Claimed> {
  return {
    operation: 'claim',
    isRead: false,
    // Who asks once more asks for what the answer before did not have.
    isShared: false,
    run: async (requests) => {
      const claims = requests.map(({ last }) => last.payload)
      const tags = claims.map((claim) => claim.tags)
      const rows = await database.write(statement, [
        ...addressColumns(requests),
        claims.map(({ longKey }) => longKey),
        ...tagColumns(requests, tags),
        claims.map(({ keepMs }) => keepMs),
        claims.map(({ leaseMs }) => leaseMs),
        claims.map(({ maxLoadMs }) => maxLoadMs),
        claims.map(({ minLeftMs }) => minLeftMs),
        claims.map(({ takes }) => takes),
      ])
      return byPosition(rows, requests.length).map((row) => claimedOf(row as Row))
    },
    answer: same,
  }
}

function lookRules(database: StatementRunner, statement: Statement): LaneRules<null, Claimed, Claimed> {
  return {
    operation: 'look',
    isRead: true,
    isShared: true,
    run: async (requests) => {
      const none = requests.map(() => null)
      const all = <T>(one: T) => requests.map(() => one)
      const values = [...addressColumns(requests), none, none, none, none, none, none, all(0), all(false)]
      const rows = await database.read(statement, values)
      return byPosition(rows, requests.length).map((row) => claimedOf(row as Row))
    },
    answer: same,
    isHit: ({ entry }) => entry !== undefined,
  }
}

function claimedOf(row: Row): Claimed {
  const [, isFresh, token, leftMs, format, text, version, expiresAt] = row as [
    number,
    boolean,
    number | null,
    number,
    string | null,
    string,
    number,
    number | null,
  ]
  return {
    isFresh,
    token: token ?? undefined,
    leftMs,
    entry: format === null ? undefined : { format, text, version, expiresAt },
  }
}

const same = <T>(answer: T): T => answer

const orNull = <T>(one: T | undefined): T | null => one ?? null
