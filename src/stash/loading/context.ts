import { resolveTtl, type Ttl } from '../../entry/expiry'
import { type Tags, tagsOf } from '../../entry/tags'
import { InvalidArgumentError } from '../../errors'
import type { Entry } from '../entries/entry'
import { graceOf } from '../entries/grace'
import type { LoadContext } from '../entries/loading'
import { jittered, type LoadTerms } from './terms'

/** What one loader is given, and what it has said: how the value is to be stored, or that it is not. */
export class Context implements LoadContext {
  isSkipped = false
  isNotModified = false
  readonly #terms: LoadTerms
  readonly #added = new Set<string>()
  #ttl: number | null | undefined
  #grace: number

  constructor(
    readonly key: string,
    readonly signal: AbortSignal,
    readonly stale: Entry | undefined,
    terms: LoadTerms,
  ) {
    this.#terms = terms
    this.#grace = terms.grace
  }

  readonly setTtl = (ttl: Ttl): void => {
    this.#ttl = resolveTtl(ttl, this.#terms.ttl)
  }

  readonly setGrace = (grace: number | null): void => {
    this.#grace = graceOf(grace)
  }

  readonly addTags = (...tags: string[]): void => {
    const { tags: own, tagScope } = this.#terms
    const all = tagsOf([...(own?.names ?? []), ...this.#added, ...tags], tagScope)
    for (const tag of all?.names ?? []) if (!own?.names.includes(tag)) this.#added.add(tag)
  }

  readonly skip = (value?: unknown): unknown => {
    this.isSkipped = true
    return value
  }

  readonly notModified = (): unknown => {
    if (this.stale === undefined) {
      throw new InvalidArgumentError('notModified', 'has nothing to make fresh', 'Ask whether context.stale is there.')
    }
    this.isNotModified = true
    return this.stale.value
  }

  get grace(): number {
    return this.#grace
  }

  get added(): Tags | undefined {
    return this.#added.size === 0 ? undefined : { scope: this.#terms.tagScope, names: [...this.#added] }
  }

  /** In milliseconds; null for ever. */
  ttlOf(value: unknown): number | null {
    const { ttl, negativeTtl, ttlJitter } = this.#terms
    return jittered(this.#ttl === undefined ? (value === null ? negativeTtl : ttl) : this.#ttl, ttlJitter)
  }
}
