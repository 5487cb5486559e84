import fc from 'fast-check'
import type { Cache } from '../../src/stash/entries/cache'
import type { PgStash } from '../../src/stash/pg-stash'
import { sleep } from '../support/sleep'
import { Model } from './model'

/** Few names, so that programs meet on the same keys. */
const tenants = ['a', 'b', 'c']
const namespaces = ['x', 'y']
const tagNames = ['a', 'b', 'c']
const keys = ['k', 'k1', 'k2', 'other', `k${'long'.repeat(500)}`]

/** What the database of the test refuses by a trigger: an entry that fails among good neighbours. */
export const poison = 'poison'

/** Short enough to end within {@link pause}, long enough that no program reaches its end by itself. */
const shortTtl = 1_500
const pause = 1_550

export type Step =
  | { readonly verb: 'get' | 'has' | 'getEntry' | 'delete' | 'take'; readonly at: Place }
  | {
      readonly verb: 'set' | 'add'
      readonly at: Place
      readonly value: unknown
      readonly isShort: boolean
      readonly tagged: Tagged
    }
  | {
      readonly verb: 'compareAndSet'
      readonly at: Place
      readonly value: unknown
      readonly isStale: boolean
      readonly tagged: Tagged
    }
  | { readonly verb: 'increment'; readonly at: Place; readonly by: number }
  | { readonly verb: 'touch'; readonly at: Place; readonly isShort: boolean }
  | { readonly verb: 'getMany' | 'deleteMany'; readonly at: Place; readonly keys: readonly string[] }
  | {
      readonly verb: 'setMany'
      readonly at: Place
      readonly entries: readonly { key: string; value: unknown; tagged: Tagged }[]
    }
  | { readonly verb: 'clear' | 'keys'; readonly at: Place }
  | { readonly verb: 'deleteByTag' | 'deleteTenantTag'; readonly at: Place; readonly tags: readonly string[] }
  | { readonly verb: 'deleteByPrefix'; readonly at: Place; readonly prefix: string }
  | { readonly verb: 'clearTenant'; readonly at: Place }
  | { readonly verb: 'expire' }

/** What an entry is tagged with; undefined: nothing is said of tags. */
type Tagged = { readonly tags: readonly string[]; readonly tagScope: 'namespace' | 'tenant' } | undefined

interface Place {
  readonly tenant: string
  readonly namespace: string
  readonly key: string
}

const place: fc.Arbitrary<Place> = fc.record({
  tenant: fc.constantFrom(...tenants),
  namespace: fc.constantFrom(...namespaces),
  key: fc.constantFrom(...keys),
})

const tagged: fc.Arbitrary<Tagged> = fc.option(
  fc.record({
    tags: fc.array(fc.constantFrom(...tagNames), { maxLength: 3 }),
    tagScope: fc.constantFrom('namespace', 'namespace', 'tenant'),
  }),
  { nil: undefined, freq: 1 },
)

const value = fc.oneof(
  { weight: 3, arbitrary: fc.integer({ min: -5, max: 5 }) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 8 }) },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 2 }).filter((json) => !Object.is(json, -0)) },
  { weight: 1, arbitrary: fc.constantFrom(null, '5', '\0', Number.MAX_SAFE_INTEGER) },
)

/** `withTime`: expiries too, at the price of waiting for them. */
export function steps(withTime: boolean): fc.Arbitrary<Step[]> {
  const isShort = withTime ? fc.boolean() : fc.constant(false)
  const many = fc.array(fc.constantFrom(...keys), { maxLength: 6 })
  const step = fc.oneof(
    {
      weight: 6,
      arbitrary: fc.record({ verb: fc.constantFrom('get', 'has', 'getEntry', 'delete', 'take'), at: place }),
    },
    { weight: 6, arbitrary: fc.record({ verb: fc.constantFrom('set', 'add'), at: place, value, isShort, tagged }) },
    {
      weight: 2,
      arbitrary: fc.record({ verb: fc.constant('compareAndSet'), at: place, value, isStale: fc.boolean(), tagged }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ verb: fc.constant('increment'), at: place, by: fc.integer({ min: -3, max: 3 }) }),
    },
    { weight: 1, arbitrary: fc.record({ verb: fc.constant('touch'), at: place, isShort }) },
    { weight: 2, arbitrary: fc.record({ verb: fc.constantFrom('getMany', 'deleteMany'), at: place, keys: many }) },
    {
      weight: 2,
      arbitrary: fc.record({
        verb: fc.constant('setMany'),
        at: place,
        entries: fc.array(fc.record({ key: fc.constantFrom(...keys), value, tagged }), { maxLength: 6 }),
      }),
    },
    { weight: 1, arbitrary: fc.record({ verb: fc.constantFrom('clear', 'keys', 'clearTenant'), at: place }) },
    {
      weight: 2,
      arbitrary: fc.record({
        verb: fc.constantFrom('deleteByTag', 'deleteByTag', 'deleteTenantTag'),
        at: place,
        tags: fc.array(fc.constantFrom(...tagNames), { minLength: 1, maxLength: 2 }),
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ verb: fc.constant('deleteByPrefix'), at: place, prefix: fc.constantFrom('k', 'k1', 'o') }),
    },
  ) as fc.Arbitrary<Step>
  const timed = fc.oneof(
    { weight: 12, arbitrary: step },
    { weight: 1, arbitrary: fc.constant<Step>({ verb: 'expire' }) },
  )
  return fc.array(withTime ? timed : step, { minLength: 1, maxLength: withTime ? 12 : 25 })
}

/** One run of a program against the store and, step by step in the order of the calls, against the model. */
export class Run {
  readonly #stash: PgStash
  readonly #model = new Model()
  /** Every run has tenants of its own: nothing is left over from the last one. */
  readonly #prefix: string
  /** By the model's version: the store's, as it was answered. */
  readonly #versions = new Map<number, number>()

  constructor(stash: PgStash, id: number) {
    this.#stash = stash
    this.#prefix = `${id}-`
  }

  /** Waits for every step before the next. */
  async sequential(program: readonly Step[]): Promise<void> {
    for (const step of program) await this.#step(step)()
    await this.#compare()
  }

  /** Makes all calls at once: each answer must still be the one its place in the program asks for. */
  async concurrent(program: readonly Step[]): Promise<void> {
    const checks = program.filter(({ verb }) => verb !== 'expire').map((step) => this.#step(step))
    await Promise.all(checks.map((check) => check()))
    await this.#compare()
  }

  /** Calls the store now, and the model; the check compares their answers later. */
  #step(step: Step): () => Promise<void> {
    if (step.verb === 'expire') return this.#expire()
    const { at } = step
    const cache = this.#cache(at)
    const space = `${at.tenant}/${at.namespace}`
    const model = this.#model
    switch (step.verb) {
      case 'get':
        return check(cache.get(at.key), model.get(space, at.key), step)
      case 'has':
        return check(cache.has(at.key), model.has(space, at.key), step)
      case 'getEntry':
        return this.#checkEntry(cache.getEntry(at.key), model.get(space, at.key), model.version(space, at.key), step)
      case 'delete':
        return check(cache.delete(at.key), model.delete(space, at.key), step)
      case 'take':
        return check(cache.take(at.key), model.take(space, at.key), step)
      case 'set': {
        const answer = cache.set(at.key, step.value, { ...ttl(step.isShort), ...step.tagged })
        model.set(space, at.key, step.value, step.isShort, modelTags(step.tagged))
        return this.#learn(answer, model.version(space, at.key) as number)
      }
      case 'add':
        return check(
          cache.add(at.key, step.value, { ...ttl(step.isShort), ...step.tagged }),
          model.add(space, at.key, step.value, step.isShort, modelTags(step.tagged)),
          step,
        )
      case 'compareAndSet':
        return this.#compareAndSet(cache, space, at.key, step)
      case 'increment':
        return check(integerOrRefused(cache.increment(at.key, step.by)), model.increment(space, at.key, step.by), step)
      case 'touch':
        return check(cache.touch(at.key, ttl(step.isShort).ttl), model.touch(space, at.key, step.isShort), step)
      case 'getMany':
        return check(
          cache.getMany(step.keys),
          step.keys.map((key) => model.get(space, key)),
          step,
        )
      case 'deleteMany':
        return check(
          cache.deleteMany(step.keys),
          step.keys.map((key) => model.delete(space, key)),
          step,
        )
      case 'setMany': {
        const answer = cache.setMany(step.entries.map(({ key, value, tagged }) => ({ key, value, ...tagged })))
        for (const { key, value, tagged } of step.entries) model.set(space, key, value, false, modelTags(tagged))
        return async () => void (await answer)
      }
      case 'deleteByTag':
        model.deleteByTag(space, step.tags)
        return check(cache.deleteByTag(step.tags), undefined, step)
      case 'deleteTenantTag':
        model.deleteTenantTag(at.tenant, step.tags)
        return check(this.#stash.tenant(this.#prefix + at.tenant).deleteByTag(step.tags), undefined, step)
      case 'clear':
        model.clear(space)
        return check(cache.clear(), undefined, step)
      case 'clearTenant':
        model.clearTenant(at.tenant)
        return check(this.#stash.tenant(this.#prefix + at.tenant).clear(), undefined, step)
      case 'deleteByPrefix':
        return check(cache.deleteByPrefix(step.prefix), model.deleteByPrefix(space, step.prefix), step)
      case 'keys':
        // A listing sees what was asked before it, and may or may not see what comes meanwhile: compared at the end.
        return async () => {
          for await (const _ of cache.keys()) break
        }
    }
  }

  /** The version the store gave for what the model holds, where it is known by now; a stale one never fits. */
  #compareAndSet(
    cache: Cache,
    space: string,
    key: string,
    step: Step & { verb: 'compareAndSet' },
  ): () => Promise<void> {
    const current = this.#model.version(space, key)
    const known = current === undefined ? undefined : this.#versions.get(current)
    const isFitting = known !== undefined && !step.isStale
    const answer = cache.compareAndSet(key, isFitting ? known : 1, step.value, step.tagged)
    const tags = modelTags(step.tagged)
    const expected = isFitting && this.#model.compareAndSet(space, key, current, step.value, tags)
    const version = this.#model.version(space, key)
    return async () => {
      const { ok, version: given } = await answer
      expectSame(ok, expected, step)
      if (ok && version !== undefined) this.#versions.set(version, given as number)
    }
  }

  #learn(answer: Promise<{ version: number }>, version: number): () => Promise<void> {
    const learnt = answer.then(({ version: given }) => void this.#versions.set(version, given))
    return () => learnt
  }

  #checkEntry(
    answer: ReturnType<Cache['getEntry']>,
    expected: unknown,
    version: number | undefined,
    step: Step,
  ): () => Promise<void> {
    return async () => {
      const entry = await answer
      expectSame(entry?.value, expected, step)
      const known = version === undefined ? undefined : this.#versions.get(version)
      if (known !== undefined) expectSame(entry?.version, known, step)
    }
  }

  #expire(): () => Promise<void> {
    return async () => {
      await sleep(pause)
      this.#model.expire()
    }
  }

  /** In the end both hold the same. */
  async #compare(): Promise<void> {
    for (const tenant of tenants) {
      for (const namespace of namespaces) {
        const found = new Map<string, unknown>()
        for await (const [key, value] of this.#cache({ tenant, namespace }).entries()) found.set(key, value)
        const space = `${tenant}/${namespace}`
        const expected = new Map(this.#model.keys(space).map((key) => [key, this.#model.get(space, key)]))
        expectSame([...found].sort(byKey), [...expected].sort(byKey), { tenant, namespace })
      }
    }
  }

  #cache({ tenant, namespace }: Pick<Place, 'tenant' | 'namespace'>): Cache {
    return this.#stash.tenant(this.#prefix + tenant).namespace(namespace)
  }
}

/** The model calls a tag of the whole tenant by another name. */
const modelTags = (tagged: Tagged): string[] =>
  tagged?.tags.map((tag) => (tagged.tagScope === 'tenant' ? `tenant:${tag}` : tag)) ?? []

const ttl = (isShort: boolean) => ({ ttl: isShort ? shortTtl : null })

async function integerOrRefused(answer: Promise<number>): Promise<number | undefined> {
  return answer.catch((error: { code?: string }) => {
    if (error.code === 'ERR_PGSTASH_NOT_AN_INTEGER') return undefined
    throw error
  })
}

function check(answer: Promise<unknown>, expected: unknown, step: unknown): () => Promise<void> {
  return async () => expectSame(await answer, expected, step)
}

/** Without one, sort() makes text of the values too, and not every value can be: `{ toString: [] }`. */
const byKey = ([a]: [string, unknown], [b]: [string, unknown]) => (a < b ? -1 : 1)

function expectSame(found: unknown, expected: unknown, step: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)]
  if (a !== b) throw new Error(brief(`${JSON.stringify(step)}: the store says ${a}, the model ${b}`))
}

/** Without the long key's length. */
function brief(message: string): string {
  return message.replaceAll(/(long)+/g, 'long…')
}
