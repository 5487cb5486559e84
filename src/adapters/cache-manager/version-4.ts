import { callBack } from '../../entry/callback'
import { InvalidArgumentError } from '../../errors'
import { storeOptions } from '../../stash/held-stash'

/** cache-manager 4: the last argument, where it is a function, is told `(error, result)`. */
export type Callback<T> = (error: unknown, result?: T) => void

/** Of the store, and cache-manager's own. */
const storeOptionNames = ['store', 'tenant', 'namespace', 'version', 'ttl', 'isCacheable', 'near']

/** cache-manager 4: ttl in seconds. */
export interface Options4 {
  readonly ttl?: number | undefined
}

/** What is wrapped: the store for cache-manager 5, all in milliseconds. */
export interface MillisecondStore {
  isCacheable(value: unknown): boolean
  get(key: string): Promise<unknown>
  set(key: string, value: unknown, ttl?: number): Promise<void>
  reset(): Promise<void>
  mget(...keys: string[]): Promise<unknown[]>
  mset(pairs: [string, unknown][], ttl?: number): Promise<void>
  mdel(...keys: string[]): Promise<void>
  keys(pattern?: string): Promise<string[]>
  ttl(key: string): Promise<number>
}

/** What `caching({ store: pgStore4, … })` makes: callbacks or promises, and seconds. */
export class PgCacheManager4Store {
  /** What cache-manager calls a store. */
  readonly name = 'pgstash'
  readonly #store: MillisecondStore

  constructor(store: MillisecondStore) {
    this.#store = store
  }

  /** cache-manager 4: what may be stored. */
  readonly isCacheableValue = (value: unknown): boolean => this.#store.isCacheable(value)

  /** The value, or undefined. */
  get(key: string, ...rest: unknown[]): Promise<unknown> | undefined {
    return answerTo(rest, this.#store.get(key))
  }

  /** `set(key, value, options?, callback?)`, with `{ ttl }` in seconds. */
  set(key: string, value: unknown, ...rest: unknown[]): Promise<unknown> | undefined {
    return answerTo(rest, this.#set(key, value, rest[0]))
  }

  /** `del(k1, k2, …, options?, callback?)` */
  del(...args: unknown[]): Promise<unknown> | undefined {
    return answerTo(args, this.#mdel(args))
  }

  /** Empties the namespace in one small write. */
  reset(...rest: unknown[]): Promise<unknown> | undefined {
    return answerTo(rest, this.#store.reset())
  }

  /** `mget(k1, k2, …, options?, callback?)` */
  mget(...args: unknown[]): Promise<unknown> | undefined {
    return answerTo(args, this.#mget(args))
  }

  /** `mset(k1, v1, k2, v2, …, options?, callback?)` */
  mset(...args: unknown[]): Promise<unknown> | undefined {
    const given = typeof args[args.length - 1] === 'function' ? args.slice(0, -1) : args
    // Keys and values come in pairs: what is left over is the options, or their empty place.
    const pairs = given.slice(0, given.length - (given.length % 2))
    const entries = pairs.flatMap((key, at) => (at % 2 === 0 ? [[key, pairs[at + 1]] as [string, unknown]] : []))
    return answerTo(args, this.#mset(entries, given[pairs.length]))
  }

  /** The live keys, all or those that match a glob as in Redis. */
  keys(...args: unknown[]): Promise<unknown> | undefined {
    const [pattern] = args
    return answerTo(args, this.#store.keys(typeof pattern === 'string' ? pattern : undefined))
  }

  /** Seconds left, -1 without expiry, -2 without entry. */
  ttl(key: string, ...rest: unknown[]): Promise<unknown> | undefined {
    return answerTo(
      rest,
      this.#store.ttl(key).then((left) => (left < 0 ? left : Math.ceil(left / 1000))),
    )
  }

  // Async: options of the caller's may throw when they are read, and that is told as any failure is.

  async #set(key: string, value: unknown, options: unknown): Promise<void> {
    return this.#store.set(key, value, milliseconds(options))
  }

  async #mdel(args: readonly unknown[]): Promise<void> {
    return this.#store.mdel(...keysOf(args))
  }

  async #mget(args: readonly unknown[]): Promise<unknown[]> {
    return this.#store.mget(...keysOf(args))
  }

  async #mset(entries: [string, unknown][], options: unknown): Promise<void> {
    return this.#store.mset(entries, milliseconds(options))
  }
}

/** Makes the factory for cache-manager 4 of the one for cache-manager 5. */
export function factory4<Options extends { readonly ttl?: number | undefined }>(
  open: (options: Options) => MillisecondStore,
) {
  return {
    /** cache-manager 4 calls it with the options of `caching`, `store` (this object) among them. */
    create(given: Options & { readonly store?: unknown } = {} as Options): PgCacheManager4Store {
      const { store, ttl, ...options } = storeOptions(given, storeOptionNames)
      return new PgCacheManager4Store(open({ ...options, ttl: milliseconds({ ttl }) } as unknown as Options))
    },
  }
}

/** All but the options and the callback; what is no string is refused further down. */
function keysOf(args: readonly unknown[]): string[] {
  const isRest = (arg: unknown) => arg === undefined || typeof arg === 'function' || isOptions(arg)
  const rest = args.findIndex(isRest)
  return (rest < 0 ? args : args.slice(0, rest)).flat() as string[]
}

function isOptions(arg: unknown): boolean {
  return typeof arg === 'object' && arg !== null && !Array.isArray(arg)
}

/**
 * What the options of a write say, or the number in their place; undefined: they leave it to the store. A callback may stand there too. As in cache-manager's own store 0
 * is for ever; what is no number is nothing that the store could guess at.
 */
function milliseconds(options: unknown): number | undefined {
  if (typeof options === 'function') return undefined
  const ttl = Object.prototype.toString.call(options) === '[object Object]' ? (options as Options4).ttl : options
  if (ttl === undefined || ttl === null) return undefined
  if (typeof ttl === 'number' && ttl >= 0) return ttl * 1000
  throw new InvalidArgumentError(
    'ttl',
    'must be a number of seconds, 0 or more',
    'Pass 0 for no expiry; of a text, Number(…).',
  )
}

function answerTo<T>(args: readonly unknown[], answer: Promise<T>): Promise<T> | undefined {
  const callback = args[args.length - 1]
  if (typeof callback !== 'function') return answer
  const tell = (...result: Parameters<Callback<T>>) => callBack(callback as Callback<T>, ...result)
  answer.then(
    (result) => tell(null, result),
    (error: unknown) => tell(error),
  )
  return undefined
}
