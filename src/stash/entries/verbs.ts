import type { CallOptions } from '../../coalescing/call'
import type { EntryTable, Write } from '../../postgres/entries/table'

/** Of reads. They count where the namespace is held near; elsewhere every read is fresh. */
export interface ReadOptions extends CallOptions {
  /** Asks the database, whatever is held near. Default: false. */
  readonly fresh?: boolean | undefined
  /** Memory answers only what is of this version or later: that of a write which another process made, and told of. Default: any. */
  readonly minVersion?: number | undefined
}

type Verb =
  | 'get'
  | 'getMany'
  | 'getEntry'
  | 'getAged'
  | 'hasMany'
  | 'ttl'
  | 'set'
  | 'setMany'
  | 'add'
  | 'compareAndSet'
  | 'increment'
  | 'touch'
  | 'expire'
  | 'deleteMany'
  | 'take'
  | 'clear'
  | 'deletePrefix'
  | 'deleteByTag'
  | 'keys'
  | 'entries'

/** What a namespace asks of its table. */
export type EntryVerbs = Pick<EntryTable, Verb>

/** The same of one that is held near, which may answer a get at once. */
export interface NearVerbs extends EntryVerbs {
  /** @param key as the caller wrote it, not looked at yet */
  hit(key: string, options: ReadOptions | undefined): Promise<unknown> | undefined
  /**
   * What a load stores is a write of this process, and treated as one.
   * @param write what is stored; undefined: what is there was made fresh
   * @param send answers the version; undefined: it was not stored
   */
  storing(key: string, write: Write | undefined, send: () => Promise<number | undefined>): Promise<number | undefined>
}

/** Until what answers from memory is loaded: calls wait for it, in their order. */
export class LoadingVerbs implements NearVerbs {
  readonly #opening: Promise<NearVerbs>
  #open: NearVerbs | undefined

  constructor(opening: Promise<NearVerbs>) {
    this.#opening = opening
    opening.then(
      (open) => {
        this.#open = open
      },
      () => {},
    )
  }

  hit(key: string, options: ReadOptions | undefined): Promise<unknown> | undefined {
    return this.#open?.hit(key, options)
  }

  get(...asked: Parameters<EntryVerbs['get']>) {
    return this.#then((open) => open.get(...asked))
  }

  getMany(...asked: Parameters<EntryVerbs['getMany']>) {
    return this.#then((open) => open.getMany(...asked))
  }

  getEntry(...asked: Parameters<EntryVerbs['getEntry']>) {
    return this.#then((open) => open.getEntry(...asked))
  }

  getAged(...asked: Parameters<EntryVerbs['getAged']>) {
    return this.#then((open) => open.getAged(...asked))
  }

  storing(...asked: Parameters<NearVerbs['storing']>) {
    return this.#then((open) => open.storing(...asked))
  }

  hasMany(...asked: Parameters<EntryVerbs['hasMany']>) {
    return this.#then((open) => open.hasMany(...asked))
  }

  ttl(...asked: Parameters<EntryVerbs['ttl']>) {
    return this.#then((open) => open.ttl(...asked))
  }

  set(...asked: Parameters<EntryVerbs['set']>) {
    return this.#then((open) => open.set(...asked))
  }

  setMany(...asked: Parameters<EntryVerbs['setMany']>) {
    return this.#then((open) => open.setMany(...asked))
  }

  add(...asked: Parameters<EntryVerbs['add']>) {
    return this.#then((open) => open.add(...asked))
  }

  compareAndSet(...asked: Parameters<EntryVerbs['compareAndSet']>) {
    return this.#then((open) => open.compareAndSet(...asked))
  }

  increment(...asked: Parameters<EntryVerbs['increment']>) {
    return this.#then((open) => open.increment(...asked))
  }

  touch(...asked: Parameters<EntryVerbs['touch']>) {
    return this.#then((open) => open.touch(...asked))
  }

  expire(...asked: Parameters<EntryVerbs['expire']>) {
    return this.#then((open) => open.expire(...asked))
  }

  deleteMany(...asked: Parameters<EntryVerbs['deleteMany']>) {
    return this.#then((open) => open.deleteMany(...asked))
  }

  take(...asked: Parameters<EntryVerbs['take']>) {
    return this.#then((open) => open.take(...asked))
  }

  clear(...asked: Parameters<EntryVerbs['clear']>) {
    return this.#then((open) => open.clear(...asked))
  }

  deletePrefix(...asked: Parameters<EntryVerbs['deletePrefix']>) {
    return this.#then((open) => open.deletePrefix(...asked))
  }

  deleteByTag(...asked: Parameters<EntryVerbs['deleteByTag']>) {
    return this.#then((open) => open.deleteByTag(...asked))
  }

  async *keys(...asked: Parameters<EntryVerbs['keys']>): AsyncGenerator<string, void> {
    yield* (await this.#opening).keys(...asked)
  }

  async *entries(...asked: Parameters<EntryVerbs['entries']>): AsyncGenerator<[string, unknown], void> {
    yield* (await this.#opening).entries(...asked)
  }

  #then<T>(ask: (open: NearVerbs) => Promise<T>): Promise<T> {
    return this.#open === undefined ? this.#opening.then(ask) : ask(this.#open)
  }
}
