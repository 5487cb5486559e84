import { AmbiguousNamespaceError, InvalidArgumentError } from '../errors'

/** Which major of Keyv calls: they differ in keys, in the third argument of `set`, and in what `deleteMany` answers. */
export type KeyvContract = 'keyv5' | 'keyv6'

/** A Keyv that uses a store object. */
export interface Attachment {
  readonly contract: KeyvContract
  /** undefined or empty: it has none. */
  namespace: string | undefined
  /** Keyv 5: calls came without the prefix (`useKeyPrefix: false`), so listed keys go without it too. */
  isBare: boolean
}

/** What a call on one key turns out to be about. */
export interface Attribution {
  readonly namespace: string | undefined
  readonly key: string
}

/**
 * Which Keyv use one store object, and which of them makes a call.
 *
 * Keyv 5: reads get, set, delete, clear, calls `on('error')`, assigns `namespace`, reads `opts` and `iterator`; its keys carry
 * `namespace:`. Keyv 6: reads `capabilities`, calls `on('error')`, assigns `namespace` if it has one; its keys carry nothing. Both do it
 * synchronously in their constructors.
 */
export class Attachments {
  readonly #all: Attachment[] = []
  readonly #contract: KeyvContract | undefined
  /** The one whose constructor runs right now: what is assigned and read next belongs to it. */
  #newest: Attachment | undefined
  #wasAskedForCapabilities = false
  /** Assigned by hand, without a Keyv. */
  #ownNamespace: string | undefined

  /** @param contract the major, where the caller says it */
  constructor(contract: KeyvContract | undefined) {
    this.#contract = contract
  }

  get size(): number {
    return this.#all.length
  }

  /** The one whose constructor runs right now. */
  get current(): Attachment | undefined {
    return this.#newest
  }

  /** Only Keyv 6 asks, and goes on at once to listen for errors: whoever asks and does not is no Keyv. */
  askedForCapabilities(): void {
    this.#wasAskedForCapabilities = true
    queueMicrotask(() => {
      this.#wasAskedForCapabilities = false
    })
  }

  attach(): void {
    const contract = this.#contract ?? (this.#wasAskedForCapabilities ? 'keyv6' : 'keyv5')
    const attachment: Attachment = { contract, namespace: undefined, isBare: false }
    this.#all.push(attachment)
    this.#newest = attachment
    queueMicrotask(() => {
      if (this.#newest === attachment) this.#newest = undefined
    })
  }

  /** A Keyv names its namespace, in its constructor or later. */
  rename(namespace: string | undefined): void {
    const attachment = this.#newest ?? (this.#all.length === 1 ? this.#all[0] : undefined)
    if (attachment !== undefined) attachment.namespace = namespace
    else if (this.#all.length === 0) this.#ownNamespace = namespace
    // One of several, nobody knows which: both names count from now on.
    else this.#all.push({ ...(this.#all[0] as Attachment), namespace })
  }

  /** undefined also while several with different namespaces share the store. */
  get namespace(): string | undefined {
    const names = this.#namespaces()
    return names.length === 1 ? names[0] : undefined
  }

  /** For calls that carry no key: all must agree. @throws {AmbiguousNamespaceError} */
  onlyNamespace(operation: string): string | undefined {
    const names = this.#namespaces()
    if (names.length > 1) throw this.#ambiguous(operation)
    return names[0]
  }

  /** Whose key this is. @throws {AmbiguousNamespaceError} when it could be several's */
  attribute(operation: string, key: string): Attribution {
    const owners = this.#ownersOf(key)
    if (owners.length > 1) throw this.#ambiguous(operation)
    if (owners[0] !== undefined) return owners[0]
    const namespace = this.onlyNamespace(operation)
    for (const attachment of this.#all) attachment.isBare = true
    return { namespace, key }
  }

  /** undefined: nobody attached, the call has to speak for itself. @throws {InvalidArgumentError} when majors are mixed */
  contractOf(operation: string): KeyvContract | undefined {
    if (this.#contract !== undefined) return this.#contract
    const [first, ...others] = this.#all
    if (others.every(({ contract }) => contract === first?.contract)) return first?.contract
    throw new InvalidArgumentError(
      'store',
      `is shared by a Keyv 5 and a Keyv 6, and ${operation} does not tell which of them calls`,
      'Give each a store of its own: new KeyvPgStore(stash).',
    )
  }

  /** With its prefix a key names its Keyv 5. A Keyv without a namespace, and any Keyv 6, might have sent every key. */
  #ownersOf(key: string): Attribution[] {
    const owners = new Map<string | undefined, Attribution>()
    for (const { contract, namespace } of this.#all) {
      if (contract === 'keyv6' || !namespace) owners.set(namespace, { namespace, key })
      else if (key.startsWith(`${namespace}:`))
        owners.set(namespace, { namespace, key: key.slice(namespace.length + 1) })
    }
    return [...owners.values()]
  }

  #namespaces(): (string | undefined)[] {
    if (this.#all.length === 0) return [this.#ownNamespace]
    return [...new Set(this.#all.map(({ namespace }) => namespace))]
  }

  #ambiguous(operation: string): AmbiguousNamespaceError {
    return new AmbiguousNamespaceError(
      operation,
      this.#namespaces().map((name) => name ?? ''),
    )
  }
}
