/**
 * What a process did, as text for Prometheus.
 *
 * @module
 */

import { type LabelRules, namedStashes, type StashesSource } from '../stash/named-stashes'
import type { OperationMetrics, StashMetrics } from '../stash/upkeep/metrics'
import type { NearStats } from '../stash/upkeep/near-stats'

export type { StashesSource }

/** For the header `content-type` of the answer. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Milliseconds: every fourth bound of the meters, so that a bucket holds all that is below it; 0.05, 0.12, 0.3, 0.73, … */
const bucketBoundsMs = Array.from({ length: 16 }, (_, at) => 0.05 * 1.25 ** (4 * at))

/** Source: https://prometheus.io/docs/concepts/data_model/ */
const labelRules: LabelRules = {
  field: 'labels',
  // Of the samples, and of histograms and summaries.
  taken: ['operation', 'state', 'le', 'quantile'],
  problemOf: (name) => {
    if (!/^[a-zA-Z_][a-zA-Z0-9_]*$/.test(name)) return 'which is no name of a label (letters, digits and _)'
    return name.startsWith('__') ? 'which is a name that Prometheus keeps for itself' : undefined
  },
}

/**
 * What `stash.metrics()` says, in the text format of Prometheus: for an endpoint of the application. Asks nobody. Several stashes go into one call: of two texts one after the
 * other Prometheus takes none, for each metric may be described once only.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * @param source a stash; or several, as `{ main, jobs }` or in a list, each of which gets a label `stash`: its name, or its schema
 * @param labels added to every line, for example `{ app: 'shop' }`
 * @throws {InvalidArgumentError} no stash; a label whose name Prometheus does not take, or that the lines have already
 * @example
 * app.get('/metrics', (req, res) => res.type(prometheusContentType).send(prometheusText(stash)))
 */
export function prometheusText(source: StashesSource, labels: Readonly<Record<string, string>> = {}): string {
  const families = new Map<string, Family>()
  for (const named of namedStashes(source, labels, labelRules)) {
    for (const family of familiesOf(named.stash.metrics())) {
      const samples = family.samples.map((sample) => ({ ...sample, labels: { ...named.labels, ...sample.labels } }))
      families.set(family.name, { ...family, samples: [...(families.get(family.name)?.samples ?? []), ...samples] })
    }
  }
  return [...families.values()].map(textOf).join('')
}

function familiesOf(metrics: StashMetrics): Family[] {
  return [
    ...counterFamilies(metrics),
    latencyFamily(metrics),
    ...gaugeFamilies(metrics),
    ...(metrics.near === undefined ? [] : nearFamilies(metrics.near)),
  ]
}

interface Family {
  readonly name: string
  readonly type: 'counter' | 'gauge' | 'histogram'
  readonly help: string
  readonly samples: readonly Sample[]
}

interface Sample {
  readonly suffix?: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

/** A counter for each operation. */
const counters: readonly (readonly [name: string, help: string, value: (operation: OperationMetrics) => number])[] = [
  ['calls', 'Calls that ended.', ({ calls }) => calls],
  ['call_failures', 'Calls that ended with an error.', ({ failures }) => failures],
  ['hits', 'Reads that found something.', ({ hits }) => hits],
  ['misses', 'Reads that found nothing.', ({ misses }) => misses],
  ['statements', 'Statements that carried calls.', ({ statements }) => statements],
  ['rows', 'Rows that those statements asked about.', ({ rows }) => rows],
]

function counterFamilies({ operations }: StashMetrics): Family[] {
  return counters.map(([name, help, value]) => ({
    name: `pgstash_${name}_total`,
    type: 'counter',
    help,
    samples: operations.map((operation) => ({
      labels: { operation: operation.operation },
      value: value(operation),
    })),
  }))
}

function latencyFamily({ operations }: StashMetrics): Family {
  return {
    name: 'pgstash_call_duration_seconds',
    type: 'histogram',
    help: 'How long calls took, waiting included.',
    samples: operations.flatMap(histogramOf),
  }
}

function histogramOf({ operation, calls, meanMs = 0, latencies }: OperationMetrics): Sample[] {
  const upTo = (bound: number) =>
    latencies.reduce((sum, bucket) => (bucket.upToMs <= bound * 1.001 ? sum + bucket.calls : sum), 0)
  const buckets = bucketBoundsMs.map((bound) => ({
    suffix: '_bucket',
    labels: { operation, le: (bound / 1_000).toPrecision(4) },
    value: upTo(bound),
  }))
  return [
    ...buckets,
    { suffix: '_bucket', labels: { operation, le: '+Inf' }, value: calls },
    { suffix: '_sum', labels: { operation }, value: (meanMs * calls) / 1_000 },
    { suffix: '_count', labels: { operation }, value: calls },
  ]
}

function gaugeFamilies({ callsUnderWay, pool }: StashMetrics): Family[] {
  const underWay: Family = {
    name: 'pgstash_calls_under_way',
    type: 'gauge',
    help: 'Calls that wait for an answer.',
    samples: [{ labels: {}, value: callsUnderWay }],
  }
  if (pool === undefined) return [underWay]
  const connections: Family = {
    name: 'pgstash_pool_connections',
    type: 'gauge',
    help: 'Connections of the pool, and statements that wait for one.',
    samples: [
      { labels: { state: 'busy' }, value: pool.total - pool.idle },
      { labels: { state: 'idle' }, value: pool.idle },
      { labels: { state: 'waiting' }, value: pool.waiting },
    ],
  }
  return [underWay, connections]
}

/** Of what is held near, where something is. */
const nearFigures: readonly (readonly [
  name: string,
  type: 'counter' | 'gauge',
  help: string,
  value: (near: NearStats) => number | undefined,
])[] = [
  ['near_hits_total', 'counter', 'Keys answered from memory.', ({ hits }) => hits],
  ['near_misses_total', 'counter', 'Keys near that the database was asked for.', ({ misses }) => misses],
  ['near_fills_total', 'counter', 'Answers and own writes that entered memory.', ({ fills }) => fills],
  [
    'near_discarded_fills_total',
    'counter',
    'Answers that did not, for something was written meanwhile.',
    ({ discardedFills }) => discardedFills,
  ],
  [
    'near_invalidations_total',
    'counter',
    'Keys, namespaces and tenants that the log told of.',
    ({ invalidations }) => invalidations,
  ],
  ['near_drops_total', 'counter', 'How often all was forgotten.', ({ drops }) => drops.incarnation + drops.pruned],
  ['near_entries', 'gauge', 'Entries in memory.', ({ entries }) => entries],
  ['near_bytes', 'gauge', 'What they weigh.', ({ bytes }) => bytes],
  [
    'near_checked_seconds',
    'gauge',
    'How long ago the log was looked at.',
    ({ checkedMsAgo }) => checkedMsAgo && checkedMsAgo / 1_000,
  ],
  ['near_listening', 'gauge', '1 where the bell is heard, else 0.', ({ isListening }) => Number(isListening)],
]

function nearFamilies(near: NearStats): Family[] {
  return nearFigures.map(([name, type, help, read]) => {
    const value = read(near)
    return { name: `pgstash_${name}`, type, help, samples: value === undefined ? [] : [{ labels: {}, value }] }
  })
}

function textOf({ name, type, help, samples }: Family): string {
  const lines = samples.map(({ suffix = '', labels, value }) => `${name}${suffix}${labelsOf(labels)} ${value}`)
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
