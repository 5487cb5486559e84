import type { CallOptions } from '../../coalescing/call'
import { assertKnown } from '../../entry/known-options'
import { callerAddress, type Ipv6Subnet, resolveSubnet, unknownAddress } from '../../entry/limits/caller-address'
import { countedKey, spelledText } from '../../entry/limits/counted-key'
import { type Limit, resolveLimit } from '../../entry/limits/limit'
import { InvalidArgumentError } from '../../errors'
import type { BlockRule } from '../../postgres/limits/table'
import { holdStash, storeOptions } from '../held-stash'
import { LimitDecisions } from './decisions'
import type { LimitedCounter } from './limited-counter'
import { type BlockOptions, blockRule, counterNamespace, type LimiterOptions, limiterName } from './rate-limiter'
import type { RateLimitResult } from './result'

/** Who tries to log in. */
export interface LoginCaller {
  /** As the application compares them: lower-case it first if it does. Any text counts, also what no database stores. */
  readonly username: string
  /**
   * The address of the client, not of a proxy; however it is written, and of IPv6 its network (`ipv6Subnet`). Those without one (Express: `req.ip` of a unix socket,
   * or of a connection that is gone) count as one.
   */
  readonly ip: string | undefined
}

/** What failed attempts are counted by. */
export type LoginKey = 'username' | 'usernameAndIp' | 'ip'

/** What a {@link LoginLimiter} is told. */
export interface LoginLimiterOptions extends LimiterOptions {
  /** Tells limiters apart: those of one name and the same limits share what they count. Default: `login`. */
  readonly name?: string | undefined
  /** Failed attempts in a window. Default: 5. */
  readonly attempts?: number | undefined
  /** In which failed attempts are counted, in milliseconds. Default: 900,000, 15 minutes. */
  readonly windowMs?: number | undefined
  /**
   * Another number of attempts for some of the keys, or false for none by it. Behind a shared address many people mistype: give `ip` more
   * there. Default: `attempts` for all of them.
   */
  readonly limits?: { readonly [Key in LoginKey]?: number | false | undefined } | undefined
  /** By how many of its first bits an address of IPv6 counts, as in `addressKey()`; false: by all. Default: 56. */
  readonly ipv6Subnet?: number | false | undefined
  /** Default: the first block lasts a window, each further one twice as long, 24 hours at most, and they are forgotten after 24 hours. false: none. */
  readonly block?: BlockOptions | false | undefined
}

const fifteenMinutesMs = 900_000
const oneDayMs = 86_400_000

const loginKeys: readonly LoginKey[] = ['username', 'usernameAndIp', 'ip']

interface LoginLimit {
  readonly by: LoginKey
  readonly name: string
  readonly namespace: string
  readonly limit: Limit
}

const limiterOptionNames = [
  ...['name', 'tenant', 'onError', 'denyCache', 'attempts'],
  ...['windowMs', 'limits', 'ipv6Subnet', 'block'],
]

/**
 * Slows down whoever guesses passwords. Failed attempts are counted by user name, by user name and address, and by address; who has had
 * enough is denied, longer each time.
 *
 * An attempt counts from the moment it begins, and is given back if it succeeds: a thousand guesses at once are no way around the limit.
 *
 * @example
 * const logins = new LoginLimiter({ stash })
 * const attempt = await logins.begin({ username, ip })
 * if (!attempt.isAllowed) return res.status(429).set(rateLimitHeaders(attempt)).end()
 * if (await isRight(username, password)) await attempt.succeed()
 */
export class LoginLimiter {
  readonly #limits: readonly LoginLimit[]
  readonly #block: BlockRule | undefined
  readonly #subnet: Ipv6Subnet
  readonly #decisions: LimitDecisions
  readonly #end: () => Promise<void>

  /** @throws {InvalidArgumentError} naming the option that will not do */
  constructor(options: LoginLimiterOptions) {
    const {
      tenant,
      onError,
      denyCache,
      name,
      attempts = 5,
      windowMs = fifteenMinutesMs,
      limits,
      ipv6Subnet,
      block,
      ...connection
    } = storeOptions(options, limiterOptionNames)
    assertKnown('limits', limits, new Set(loginKeys))
    const login = limiterName(name ?? 'login')
    this.#limits = loginLimits(login, attempts, windowMs, limits)
    this.#subnet = resolveSubnet(ipv6Subnet)
    const usual = { blockMs: windowMs, maxBlockMs: Math.max(windowMs, oneDayMs), forgetMs: oneDayMs }
    this.#block = block === false ? undefined : blockRule(block ?? usual)
    const { stash, release } = holdStash(connection)
    const remembers = this.#block?.isExtended ? false : denyCache
    this.#decisions = new LimitDecisions(stash, { limiter: login, tenant, onError, denyCache: remembers })
    this.#end = release
  }

  /** Counts an attempt if it is allowed. If it is, check the password, and call `succeed()` if it was right. */
  async begin(caller: LoginCaller, options?: CallOptions): Promise<LoginAttempt> {
    const counters = this.#countersOf(assertCaller(caller))
    const result = await this.#decisions.consume(counters, 1, options)
    let forgiven: Promise<void> | undefined
    const succeed = () => {
      forgiven ??= this.#forgive(caller, result)
      return forgiven
    }
    return { ...result, succeed }
  }

  /** Says where somebody stands, and counts nothing. */
  async peek(caller: LoginCaller, options?: CallOptions): Promise<RateLimitResult> {
    return this.#decisions.peek(this.#countersOf(assertCaller(caller)), 1, options)
  }

  /** Forgets failed attempts, and blocks: for support. Of a user, at whatever address; or of an address, for everybody behind it; or, with both, of both. */
  async reset(caller: Partial<LoginCaller>, options?: CallOptions): Promise<void> {
    const { username, ip } = assertCaller(caller)
    assertText('username or ip', username ?? ip)
    const known = { username: username ?? '-', ip: ip ?? '-' }
    const wanted: LoginKey[] = [
      ...(username === undefined ? [] : (['username'] as const)),
      ...(ip === undefined ? [] : (['ip'] as const)),
    ]
    await this.#decisions.reset(this.#countersOf(known, wanted), options)
    if (username === undefined) return
    for (const { by, namespace } of this.#limits) {
      if (by === 'usernameAndIp') {
        await this.#decisions.clearPrefix(namespace, spelledText(startOf(username)), options)
      }
    }
  }

  /** Forgets everybody; of one tenant. */
  async clear(options?: CallOptions): Promise<void> {
    await this.#decisions.clear(
      this.#limits.map(({ namespace }) => namespace),
      options,
    )
  }

  /** Closes the stash if this limiter opened it. */
  async close(): Promise<void> {
    await this.#end()
  }

  /** The user is forgiven; the address only this attempt, or one account of the attacker's own would clear all others. */
  async #forgive(caller: LoginCaller, attempt: RateLimitResult): Promise<void> {
    if (!attempt.isAllowed) return
    const [byUser, byIp] = [this.#countersOf(caller, ['username', 'usernameAndIp']), this.#countersOf(caller, ['ip'])]
    await Promise.all([
      byUser.length > 0 ? this.#decisions.reset(byUser) : undefined,
      byIp.length > 0 ? this.#decisions.takeBack(attempt, byIp) : undefined,
    ])
  }

  #countersOf({ username, ip }: LoginCaller, wanted = loginKeys): LimitedCounter[] {
    assertText('username', username)
    assertText('ip', ip ?? unknownAddress)
    const address = callerAddress(ip ?? unknownAddress, this.#subnet)
    const keys = { username, usernameAndIp: `${startOf(username)}${address}`, ip: address }
    return this.#limits
      .filter(({ by }) => wanted.includes(by))
      .map(({ by, ...counter }) => ({ ...counter, ...countedKey(keys[by]), block: this.#block }))
  }
}

/** An attempt to log in. */
export interface LoginAttempt extends RateLimitResult {
  /** The password was right: the attempt does not count, nor do the earlier ones of this user. */
  succeed(): Promise<void>
}

/** @throws {InvalidArgumentError} a limit that is none, or false for all keys */
function loginLimits(
  login: string,
  attempts: number,
  windowMs: number,
  limits: LoginLimiterOptions['limits'],
): LoginLimit[] {
  const kept = loginKeys.flatMap((by): LoginLimit[] => {
    const own = limits?.[by] ?? attempts
    if (own === false) return []
    const limit = resolveLimit(own, windowMs, undefined, limits?.[by] === undefined ? 'attempts' : `limits.${by}`)
    const name = `${login}/${by}`
    return [{ by, name, namespace: counterNamespace(name, limit), limit }]
  })
  if (kept.length > 0) return kept
  throw new InvalidArgumentError('limits', 'leave nothing to count by', 'Keep one of username, usernameAndIp, ip.')
}

const callerNames: ReadonlySet<string> = new Set(['username', 'ip'])

/** Of all keys of a user with an address: JSON ends the name where it ends, so that no name is the start of another. */
function startOf(username: string): string {
  return `${JSON.stringify(username)} at `
}

function assertCaller<Caller extends Partial<LoginCaller>>(caller: Caller): Caller {
  if (caller === undefined) throw new InvalidArgumentError('caller', 'must be an object', 'Pass { username, ip }.')
  assertKnown('caller', caller, callerNames)
  return caller
}

function assertText(field: string, text: unknown): void {
  if (typeof text === 'string' && text !== '') return
  throw new InvalidArgumentError(field, 'must be a non-empty string', 'Pass { username, ip }.')
}
