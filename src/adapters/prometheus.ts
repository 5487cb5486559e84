import type { OperationMetrics, StashMetrics } from '../stash/metrics'
import type { PgStash } from '../stash/pg-stash'

/** For the header `content-type` of the answer. */
export const prometheusContentType = 'text/plain; version=0.0.4; charset=utf-8'

/** Seconds. Grafana interpolates between them. */
const bucketBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/**
 * What `stash.metrics()` says, in the text format of Prometheus: for an endpoint of the application. Asks nobody.
 * Source: https://prometheus.io/docs/instrumenting/exposition_formats/
 *
 * @param labels added to every line, for example `{ stash: 'main' }` where there are several
 * @example
 * app.get('/metrics', (req, res) => res.type(prometheusContentType).send(prometheusText(stash)))
 */
export function prometheusText(stash: PgStash, labels: Readonly<Record<string, string>> = {}): string {
  const metrics = stash.metrics()
  const families = [...counterFamilies(metrics), latencyFamily(metrics), ...gaugeFamilies(metrics)]
  return families.map((family) => textOf(family, labels)).join('')
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
    latencies.reduce((sum, bucket) => (bucket.upToMs <= bound * 1_000 ? sum + bucket.calls : sum), 0)
  const buckets = bucketBounds.map((bound) => ({
    suffix: '_bucket',
    labels: { operation, le: String(bound) },
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

function textOf({ name, type, help, samples }: Family, shared: Readonly<Record<string, string>>): string {
  const lines = samples.map(
    ({ suffix = '', labels, value }) => `${name}${suffix}${labelsOf({ ...shared, ...labels })} ${value}`,
  )
  return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...lines, ''].join('\n')
}

function labelsOf(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${escaped(value)}"`)
  return pairs.length === 0 ? '' : `{${pairs.join(',')}}`
}

function escaped(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
}
