import markNamespaces from '../../../sql/statements/near/mark.sql'
import findRunning from '../../../sql/statements/near/running.sql'
import settleNamespaces from '../../../sql/statements/near/settle.sql'
import { type Address, addressOf } from '../../coalescing/address'
import { soon, startTimer } from '../../own-clock'
import { type Statement, statementOf } from '../wire/statement'
import type { LogOptions, LogRunner } from './log-runner'
import type { Telling } from './telling'

/** What of a namespace is marked. */
export type MarkedKind = 'entries' | 'sessions'

/** In the column `uses`: marked; and that nobody runs any more who may not know it. */
const bits: Readonly<Record<MarkedKind, { marked: number; settled: number }>> = {
  entries: { marked: 1, settled: 8 },
  sessions: { marked: 4, settled: 16 },
}

/** How often it is looked whether those who run have ended. */
const lookEveryMs = 100

interface Marked {
  readonly tenant: string
  readonly namespace: string
  readonly kind: MarkedKind
  resolve(): void
  reject(error: unknown): void
}

/**
 * Marks namespaces as held near. A transaction that began before the mark may have looked at the namespace without it, and write unlogged for as long as it runs: only when all
 * of them have ended, it is written beside the mark that every write logs. That happens once in the life of a namespace; later processes find it written.
 */
export class Marking {
  readonly #runner: LogRunner
  readonly #telling: Telling
  readonly #isScoped: boolean
  readonly #mark: Statement
  readonly #running: Statement
  readonly #settle: Statement
  #waiting: Marked[] = []

  constructor(runner: LogRunner, telling: Telling, { schema, isScoped }: LogOptions) {
    this.#runner = runner
    this.#telling = telling
    this.#isScoped = isScoped
    this.#mark = statementOf(markNamespaces, schema)
    this.#running = statementOf(findRunning, schema)
    this.#settle = statementOf(settleNamespaces, schema)
  }

  mark(tenant: string, namespace: string, kind: MarkedKind): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#waiting.push({ tenant, namespace, kind, resolve, reject }) === 1) soon(() => this.#leave())
    })
  }

  #leave(): void {
    const batches = new Map<string, Marked[]>()
    for (const one of this.#waiting.sort(inSharedOrder)) {
      const id = this.#isScoped ? `${one.kind}\0${one.tenant}` : one.kind
      batches.set(id, [...(batches.get(id) ?? []), one])
    }
    this.#waiting = []
    for (const batch of batches.values()) void this.#markAll(batch)
  }

  /** Answers each as soon as it is settled; never rejects. */
  async #markAll(batch: readonly Marked[]): Promise<void> {
    let left = batch
    try {
      while (left.length > 0) left = await this.#round(left)
    } catch (error) {
      for (const { reject } of left) reject(error)
    }
  }

  /** Answers those that are settled; the others are marked, and looked at again once those who run now have ended. */
  async #round(batch: readonly Marked[]): Promise<readonly Marked[]> {
    const [{ kind, tenant }] = batch as [Marked]
    const scope = this.#isScoped ? tenant : undefined
    const { marked, settled } = bits[kind]
    const columns = [batch.map((one) => one.tenant), batch.map((one) => one.namespace)]
    const rows = await this.#runner.write(this.#mark, [...columns, marked], scope)
    const states = new Map(rows.map((row) => [addressOf(row[0] as string, row[1] as string).id, row]))
    const stateOf = (one: Marked) => states.get(addressOf(one.tenant, one.namespace).id)
    const left = batch.filter((one) => ((stateOf(one)?.[2] as number) & settled) === 0)
    for (const one of batch) this.#know(one)
    for (const one of batch) if (!left.includes(one)) one.resolve()
    if (left.length === 0) return left
    await this.#outlive()
    const by = left.map((one) => stateOf(one)?.[3] as string)
    const settling = [left.map((one) => one.tenant), left.map((one) => one.namespace), by, settled]
    await this.#runner.write(this.#settle, settling, scope)
    return left
  }

  /** Until all that run now have ended. */
  async #outlive(): Promise<void> {
    let left = await this.#whoRuns()
    while (left.length > 0) {
      await new Promise<void>((resolve) => void startTimer(resolve, lookEveryMs))
      const running = new Set(await this.#whoRuns())
      left = left.filter((id) => running.has(id))
    }
  }

  async #whoRuns(): Promise<readonly string[]> {
    const [row] = await this.#runner.read(this.#running, [])
    const text = row?.[0] as string
    return text === '' ? [] : text.split('\n')
  }

  #know({ tenant, namespace, kind }: Marked): void {
    const addresses: Address[] = [
      addressOf(tenant, namespace, kind === 'sessions' ? 'session' : ''),
      addressOf(tenant, ''),
    ]
    for (const address of addresses) this.#telling.marked.add(address)
  }
}

function inSharedOrder(a: Marked, b: Marked): number {
  if (a.tenant !== b.tenant) return a.tenant < b.tenant ? -1 : 1
  if (a.namespace === b.namespace) return 0
  return a.namespace < b.namespace ? -1 : 1
}
