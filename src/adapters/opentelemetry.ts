/**
 * What a process did, as instruments of an OpenTelemetry meter.
 *
 * @module
 */

import { type LabelRules, type NamedStash, namedStashes, type StashesSource } from '../stash/named-stashes'
import type { OperationMetrics } from '../stash/upkeep/metrics'
import type { NearStats } from '../stash/upkeep/near-stats'

export type { StashesSource }

/** What this package uses of a `Meter` of `@opentelemetry/api`; any version 1 fits. */
export interface OpenTelemetryMeter {
  /** For what only grows: calls, failures, rows. */
  createObservableCounter(name: string, options?: InstrumentOptions): unknown
  /** For what goes up and down: connections, calls under way. */
  createObservableGauge(name: string, options?: InstrumentOptions): unknown
  /** Has all of them read at once, when they are collected. */
  addBatchObservableCallback(callback: BatchCallback, observables: never[]): void
  /** Ends that. */
  removeBatchObservableCallback(callback: BatchCallback, observables: never[]): void
}

interface InstrumentOptions {
  description?: string
  unit?: string
}

type Attributes = Record<string, string>

type BatchCallback = (result: { observe(instrument: never, value: number, attributes?: Attributes): void }) => void

/** What is told of each operation: its name, what it says, its unit, and its value. */
type Figure = readonly [
  name: string,
  description: string,
  unit: string,
  value: (operation: OperationMetrics) => number | undefined,
]

const counters: readonly Figure[] = [
  ['pgstash.calls', 'Calls that ended.', '{call}', ({ calls }) => calls],
  ['pgstash.call.failures', 'Calls that ended with an error.', '{call}', ({ failures }) => failures],
  ['pgstash.hits', 'Reads that found something.', '{read}', ({ hits }) => hits],
  ['pgstash.misses', 'Reads that found nothing.', '{read}', ({ misses }) => misses],
  ['pgstash.statements', 'Statements that carried calls.', '{statement}', ({ statements }) => statements],
]

const gauges: readonly Figure[] = [
  ['pgstash.call.duration.p50', 'Half of the calls took no longer, since the start.', 'ms', ({ p50Ms }) => p50Ms],
  ['pgstash.call.duration.p99', '99 of 100 calls took no longer, since the start.', 'ms', ({ p99Ms }) => p99Ms],
]

type NearFigure = readonly [
  name: string,
  description: string,
  unit: string,
  value: (near: NearStats) => number | undefined,
]

/** Of what is held near, where something is. */
const nearCounters: readonly NearFigure[] = [
  ['pgstash.near.hits', 'Keys answered from memory.', '{key}', ({ hits }) => hits],
  ['pgstash.near.misses', 'Keys near that the database was asked for.', '{key}', ({ misses }) => misses],
  ['pgstash.near.fills', 'Answers and own writes that entered memory.', '{entry}', ({ fills }) => fills],
  ['pgstash.near.discarded_fills', 'Answers that did not.', '{entry}', ({ discardedFills }) => discardedFills],
  ['pgstash.near.invalidations', 'What the log told of.', '{event}', ({ invalidations }) => invalidations],
  ['pgstash.near.drops', 'How often all was forgotten.', '{event}', ({ drops }) => drops.incarnation + drops.pruned],
]

const nearGauges: readonly NearFigure[] = [
  ['pgstash.near.entries', 'Entries in memory.', '{entry}', ({ entries }) => entries],
  ['pgstash.near.bytes', 'What they weigh.', 'By', ({ bytes }) => bytes],
  ['pgstash.near.checked', 'How long ago the log was looked at.', 'ms', ({ checkedMsAgo }) => checkedMsAgo],
]

const attributeRules: LabelRules = {
  field: 'attributes',
  taken: ['operation', 'state'],
  problemOf: (name) => (name === '' ? 'which is no name' : undefined),
}

/**
 * Reports `stash.metrics()` through OpenTelemetry, whenever its reader collects.
 *
 * @param source a stash; or several, as `{ main, jobs }` or in a list, each of which gets an attribute `stash`: its name, or its schema
 * @param attributes added to every value, for example `{ app: 'shop' }`
 * @returns ends it
 * @throws {InvalidArgumentError} no stash; an attribute that the values have already
 * @example
 * const stop = observeStash(metrics.getMeter('pgstash'), stash)
 */
export function observeStash(
  meter: OpenTelemetryMeter,
  source: StashesSource,
  attributes: Attributes = {},
): () => void {
  const stashes = namedStashes(source, attributes, attributeRules)
  const instruments = instrumentsOf(meter)
  const observe: BatchCallback = (result) => {
    for (const stash of stashes) observeOne(stash, instruments, result)
  }
  const { perOperation, near, connections } = instruments
  const observables = [...[...perOperation, ...near].map(({ of }) => of), connections] as never[]
  meter.addBatchObservableCallback(observe, observables)
  return () => meter.removeBatchObservableCallback(observe, observables)
}

interface Instruments {
  readonly perOperation: readonly { readonly of: unknown; readonly value: Figure[3] }[]
  readonly near: readonly { readonly of: unknown; readonly value: NearFigure[3] }[]
  readonly connections: unknown
}

function instrumentsOf(meter: OpenTelemetryMeter): Instruments {
  const make = <Value>(
    figures: readonly (readonly [name: string, description: string, unit: string, value: Value])[],
    kind: 'createObservableCounter' | 'createObservableGauge',
  ) => figures.map(([name, description, unit, value]) => ({ of: meter[kind](name, { description, unit }), value }))
  const perOperation = [...make(counters, 'createObservableCounter'), ...make(gauges, 'createObservableGauge')]
  const connections = meter.createObservableGauge('pgstash.pool.connections', {
    description: 'Connections of the pool, and statements that wait for one.',
    unit: '{connection}',
  })
  const near = [...make(nearCounters, 'createObservableCounter'), ...make(nearGauges, 'createObservableGauge')]
  return { perOperation, near, connections }
}

function observeOne(
  { stash, labels }: NamedStash,
  { perOperation, near, connections }: Instruments,
  result: Parameters<BatchCallback>[0],
): void {
  const { operations, pool, near: held } = stash.metrics()
  for (const { of, value } of held === undefined ? [] : near) {
    const reached = value(held as NearStats)
    if (reached !== undefined) result.observe(of as never, reached, labels)
  }
  for (const operation of operations) {
    for (const { of, value } of perOperation) {
      const reached = value(operation)
      if (reached !== undefined) result.observe(of as never, reached, { ...labels, operation: operation.operation })
    }
  }
  const states = pool === undefined ? {} : { busy: pool.total - pool.idle, idle: pool.idle, waiting: pool.waiting }
  for (const [state, count] of Object.entries(states)) {
    result.observe(connections as never, count, { ...labels, state })
  }
}
