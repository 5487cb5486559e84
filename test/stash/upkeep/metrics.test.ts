import { channel } from 'node:diagnostics_channel'
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { describe, expect, it } from 'vitest'
import { observeStash } from '../../../src/adapters/opentelemetry'
import { prometheusText } from '../../../src/adapters/prometheus'
import type { BatchMessage, CallMessage } from '../../../src/coalescing/meter'
import { RateLimiter } from '../../../src/stash/limits/rate-limiter'
import type { PgStash } from '../../../src/stash/pg-stash'
import { Sessions } from '../../../src/stash/sessions/store'
import { describeBodies } from '../../support/bodies'

/** Five sets, four hits and two misses, an increment that fails, a session, a hit on a limit. */
async function someLife(stash: PgStash): Promise<void> {
  const cache = stash.tenant('acme').namespace('views')
  await cache.setMany(['a', 'b', 'c', 'd', 'e'].map((key) => ({ key, value: `secret of ${key}` })))
  await Promise.all([cache.get('a'), cache.get('b'), cache.get('c'), cache.get('d'), cache.get('x')])
  await cache.get('y')
  await cache.increment('a').catch(() => {})
  await new Sessions({ stash }).set('s', { user: 'ada' })
  await new RateLimiter({ stash, limit: 1, windowMs: 60_000 }).consume('k')
}

async function messagesOf<T>(name: string, work: () => Promise<void>): Promise<T[]> {
  const messages: T[] = []
  const listener = (message: unknown) => void messages.push(message as T)
  channel(name).subscribe(listener)
  try {
    await work()
  } finally {
    channel(name).unsubscribe(listener)
  }
  return messages
}

describeBodies('metrics', (body) => {
  it('count calls, hits, statements and time', async () => {
    const stash = body.open()
    await stash.ready()
    await someLife(stash)
    const { operations, hitRatio, callsPerStatement, callsUnderWay } = stash.metrics()
    const of = (name: string) => operations.find(({ operation }) => operation === name)
    expect(of('get')).toMatchObject({ calls: 6, failures: 0, hits: 4, misses: 2, statements: 2, rows: 6 })
    expect(of('get')?.p50Ms).toBeGreaterThan(0)
    expect(of('get')?.p99Ms).toBeGreaterThanOrEqual(of('get')?.p50Ms as number)
    // One call of five keys.
    expect(of('set')).toMatchObject({ calls: 1, rows: 5, statements: 1 })
    expect(of('increment')).toMatchObject({ calls: 1, failures: 1 })
    expect(of('session.set')).toMatchObject({ calls: 1 })
    expect(of('limit.consume')).toMatchObject({ calls: 1 })
    expect(hitRatio).toBeCloseTo(4 / 6)
    expect(callsPerStatement).toBeGreaterThan(1)
    expect(callsUnderWay).toBe(0)
    const limits = [1_000, 2_000].map((windowMs) => ({ limit: 5, windowMs }))
    await new RateLimiter({ stash, name: 'several', limits }).peek('k')
    const peeks = stash.metrics().operations.filter(({ operation }) => operation.startsWith('limit.'))
    expect(peeks.map(({ operation, calls }) => [operation, calls])).toEqual([
      ['limit.consume', 1],
      ['limit.peek', 2],
    ])
    expect(stash.metrics().hitRatio).toBeCloseTo(4 / 6)
  })

  it('are told as events, without keys or values', async () => {
    const stash = body.open()
    await stash.ready()
    const calls = await messagesOf<CallMessage>('pgstash:call', () => someLife(stash))
    const seen = calls.map(({ operation, tenant, namespace, errorCode }) => [operation, tenant, namespace, errorCode])
    expect(seen.slice(0, 2)).toEqual([
      ['set', 'acme', 'views', undefined],
      ['get', 'acme', 'views', undefined],
    ])
    expect(seen).toContainEqual(['increment', 'acme', 'views', 'ERR_PGSTASH_NOT_AN_INTEGER'])
    expect(seen).toContainEqual(['session.set', 'default', 'session', undefined])
    expect(calls.every(({ durationMs }) => durationMs >= 0)).toBe(true)
    const batches = await messagesOf<BatchMessage>('pgstash:batch', () => someLife(stash))
    expect(batches[0]).toMatchObject({ operation: 'set', rows: 5, calls: 5, errorCode: undefined })
    expect(JSON.stringify([...calls, ...batches])).not.toMatch(/secret|ada/)
  })

  it('speak Prometheus', async () => {
    const stash = body.open()
    await someLife(stash)
    const text = prometheusText(stash, { stash: 'a "name"' })
    expect(text).toContain('# TYPE pgstash_calls_total counter\n')
    expect(text).toContain('pgstash_calls_total{stash="a \\"name\\"",operation="get"} 6\n')
    expect(text).toContain('pgstash_hits_total{stash="a \\"name\\"",operation="get"} 4\n')
    expect(text).toContain('pgstash_call_duration_seconds_bucket{stash="a \\"name\\"",operation="get",le="+Inf"} 6\n')
    const lines = text
      .trimEnd()
      .split('\n')
      .filter((line) => !line.startsWith('#'))
    expect(lines.filter((line) => !/^pgstash_[a-z_]+(\{[^}]*\})? [0-9.e+-]+$/.test(line))).toEqual([])
    expect(() => prometheusText(stash, { 'my-app': 'x' })).toThrow(expect.objectContaining({ field: 'labels' }))
    // Buckets only grow.
    const buckets = lines
      .filter((line) => /operation="get",le=/.test(line))
      .map((line) => Number(line.split(' ').at(-1)))
    expect(buckets).toEqual([...buckets].sort((a, b) => a - b))
  })

  it('speak OpenTelemetry', async () => {
    const stash = body.open()
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
    const provider = new MeterProvider({ readers: [reader] })
    const stop = observeStash(provider.getMeter('pgstash'), stash, { stash: 'main' })
    await someLife(stash)
    await reader.forceFlush()
    stop()
    const told = exporter.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
    const calls = told.find(({ descriptor }) => descriptor.name === 'pgstash.calls')
    expect(calls?.dataPoints.find(({ attributes }) => attributes.operation === 'get')).toMatchObject({
      value: 6,
      attributes: { stash: 'main', operation: 'get' },
    })
    await provider.shutdown()
  })
})

describe('metrics of a stash that did nothing', () => {
  it('are empty', async () => {
    const { PgStash } = await import('../../../src/stash/pg-stash')
    const stash = new PgStash({ connectionString: 'postgres://nowhere.invalid' })
    expect(stash.metrics()).toMatchObject({ operations: [], hitRatio: undefined, callsPerStatement: undefined })
    await stash.close()
  })
})
