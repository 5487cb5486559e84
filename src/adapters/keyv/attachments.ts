import { AmbiguousNamespaceError, InvalidArgumentError } from '../../errors'

/** Which major of Keyv calls: they differ in keys, in the third argument of `set`, and in what `deleteMany` answers. */
export type KeyvContract = 'keyv5' | 'keyv6'

/** The Keyv of one major and one namespace that use a store object. */
export interface Attachment {
  readonly contract: KeyvContract
  /** undefined: they have none. */
  namespace: string | undefined
  /** How many they are. */
  count: number
  /** Keyv 5: whether keys came with its prefix, and without (`useKeyPrefix: false`). */
  hasPrefixed: boolean
  hasBare: boolean
}

/** What a call on one key turns out to be about. */
export interface Attribution {
  readonly namespace: string | undefined
  readonly key: string
}

/**
 * Which Keyv use one store object, and which of them makes a call.
 *
 * Keyv 5 calls `on('error')`, assigns `namespace`, and reads `iterator`; its keys carry `namespace:`. Keyv 6 reads `capabilities`,
 * calls `on('error')`, and assigns `namespace` if it has one; its keys carry nothing. Both do it synchronously in their constructors.
 * Whoever only listens for errors is no Keyv.
 */
export class Attachments {
  readonly #all: Attachment[] = []
  readonly #contract: KeyvContract | undefined
  /** The namespace as stored, for what Keyv calls one: two names of one place are one. */
  readonly #stored: (namespace: string | undefined) => string
  #wasAskedForCapabilities = false
  /** Somebody listens for errors, and assigns `namespace` next if it is a Keyv. */
  #pending: { readonly contract: KeyvContract; attachment: Attachment | undefined } | undefined
  /** The Keyv 5 that has assigned its namespace, and reads `iterator` next. */
  #current: Attachment | undefined
  /** Assigned by hand, without a Keyv. */
  #ownNamespace: string | undefined

  /** @param contract the major, where the caller says it */
  constructor(contract: KeyvContract | undefined, stored: (namespace: string | undefined) => string) {
    this.#contract = contract
    this.#stored = stored
  }

  /** How many Keyv use the store. */
  get size(): number {
    return this.#all.reduce((sum, { count }) => sum + count, 0)
  }

  /** The Keyv 5 whose constructor runs right now; once. */
  takeCurrent(): Attachment | undefined {
    const current = this.#current
    this.#current = undefined
    return current
  }

  /** Only Keyv 6 asks, and goes on at once to listen for errors. */
  askedForCapabilities(): void {
    this.#wasAskedForCapabilities = true
    afterConstructor(() => {
      this.#wasAskedForCapabilities = false
    })
  }

  listened(): void {
    const contract = this.#contract ?? (this.#wasAskedForCapabilities ? 'keyv6' : 'keyv5')
    // A Keyv 6 without a namespace assigns none: it is one already.
    const attachment = this.#wasAskedForCapabilities ? this.#attach(contract, this.#ownNamespace) : undefined
    this.#wasAskedForCapabilities = false
    const pending = { contract, attachment }
    this.#pending = pending
    afterConstructor(() => {
      if (this.#pending === pending) this.#pending = undefined
    })
  }

  /** A Keyv names its namespace, in its constructor or later; or somebody does by hand. */
  named(namespace: string | undefined): void {
    const pending = this.#pending
    this.#pending = undefined
    if (pending === undefined) {
      this.#rename(namespace)
      return
    }
    if (pending.attachment !== undefined) this.#detach(pending.attachment)
    const attachment = this.#attach(pending.contract, namespace)
    if (pending.contract === 'keyv6') return
    this.#current = attachment
    afterConstructor(() => {
      if (this.#current === attachment) this.#current = undefined
    })
  }

  /** undefined also while several with different namespaces share the store. */
  get namespace(): string | undefined {
    return this.#isShared() ? undefined : this.#anyNamespace()
  }

  /** For calls that carry no key: all must agree. @throws {AmbiguousNamespaceError} */
  onlyNamespace(operation: string): string | undefined {
    if (this.#isShared()) throw this.#ambiguous(operation)
    return this.#anyNamespace()
  }

  /** Whose key this is. @throws {AmbiguousNamespaceError} when it could be several's */
  attribute(operation: string, key: string): Attribution {
    // One Keyv, as nearly always, and its key: nothing to be told apart.
    const only = this.#all.length === 1 ? this.#all[0] : undefined
    if (only?.contract === 'keyv5' && only.namespace !== undefined && isOf(only.namespace, key)) {
      only.hasPrefixed = true
      return { namespace: only.namespace, key: key.slice(only.namespace.length + 1) }
    }
    const contract = this.contractOf(operation)
    if (contract !== 'keyv5') return { namespace: this.onlyNamespace(operation), key }
    const owners = this.#all.filter(({ namespace }) => namespace === undefined || isOf(namespace, key))
    const [owner] = owners
    if (owners.length > 1) throw this.#ambiguous(operation)
    if (owner?.namespace !== undefined) {
      owner.hasPrefixed = true
      return { namespace: owner.namespace, key: key.slice(owner.namespace.length + 1) }
    }
    const namespace = this.onlyNamespace(operation)
    for (const attachment of this.#all) attachment.hasBare = true
    return { namespace, key }
  }

  /** undefined: no Keyv, the call has to speak for itself. @throws {InvalidArgumentError} when majors are mixed */
  contractOf(operation: string): KeyvContract | undefined {
    if (this.#contract !== undefined) return this.#contract
    const first = this.#all[0]?.contract
    if (this.#all.every(({ contract }) => contract === first)) return first
    throw new InvalidArgumentError(
      'store',
      `is shared by a Keyv 5 and a Keyv 6, and ${operation} does not tell which of them calls`,
      'Give each a store of its own: new KeyvPgStore(stash).',
    )
  }

  #attach(contract: KeyvContract, given: string | undefined): Attachment {
    const namespace = given === '' ? undefined : given
    const known = this.#all.find((other) => other.contract === contract && other.namespace === namespace)
    const attachment = known ?? { contract, namespace, count: 0, hasPrefixed: false, hasBare: false }
    if (known === undefined) this.#all.push(attachment)
    attachment.count += 1
    return attachment
  }

  #detach(attachment: Attachment): void {
    attachment.count -= 1
    if (attachment.count === 0) this.#all.splice(this.#all.indexOf(attachment), 1)
  }

  #rename(namespace: string | undefined): void {
    const [first, ...others] = this.#all
    if (first === undefined) this.#ownNamespace = namespace
    else if (first.count === 1 && others.length === 0) first.namespace = namespace === '' ? undefined : namespace
    // One of several, nobody knows which: both names count from now on.
    else this.#attach(first.contract, namespace).count -= 1
  }

  #anyNamespace(): string | undefined {
    return this.#all.length === 0 ? this.#ownNamespace : this.#all[0]?.namespace
  }

  #isShared(): boolean {
    const [first, ...others] = this.#all
    return others.some(({ namespace }) => this.#stored(namespace) !== this.#stored(first?.namespace))
  }

  #ambiguous(operation: string): AmbiguousNamespaceError {
    return new AmbiguousNamespaceError(
      operation,
      this.#all.map(({ namespace }) => namespace ?? ''),
    )
  }
}

/** Whether the key begins with the namespace and a colon; asked for each key, so nothing is put together for it. */
function isOf(namespace: string, key: string): boolean {
  return key[namespace.length] === ':' && key.startsWith(namespace)
}

/** By a promise: `queueMicrotask` may be a fake timer's, and what it never calls would take the next listener for a Keyv. */
function afterConstructor(work: () => void): void {
  void Promise.resolve().then(work)
}
