import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics'
import { beforeAll, expect, it } from 'vitest'
import { observeStash } from '../../../src/adapters/opentelemetry'
import { prometheusText } from '../../../src/adapters/prometheus'
import type { PgStash } from '../../../src/stash/pg-stash'
import { describePostgres } from '../../support/bodies'

/** What the text format forbids, as promtool says it. Source: https://prometheus.io/docs/instrumenting/exposition_formats/ */
function faultsOf(text: string): string[] {
  const faults: string[] = []
  const [described, series] = [new Set<string>(), new Set<string>()]
  let family = ''
  if (!text.endsWith('\n')) faults.push('the last line has no end')
  for (const line of text.trimEnd().split('\n')) {
    const [, comment, name = ''] = /^# (HELP|TYPE) (\S+) \S/.exec(line) ?? []
    if (comment !== undefined) {
      if (described.has(`${comment} ${name}`)) faults.push(`second ${comment} line for ${name}`)
      described.add(`${comment} ${name}`)
      family = name
      continue
    }
    const [, metric = '', labels = ''] = /^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? -?[0-9.e+-]+$/.exec(line) ?? []
    if (metric === '') faults.push(`no sample: ${line}`)
    if (metric !== family && !/^_(bucket|sum|count)$/.test(metric.slice(family.length)))
      faults.push(`${metric} outside its family`)
    const names = [...labels.matchAll(/([a-zA-Z_][a-zA-Z0-9_]*)="(?:[^"\\]|\\.)*"(?:,|$)/g)].map(([, label]) => label)
    if (new Set(names).size !== names.length) faults.push(`a label twice: ${line}`)
    const id = `${metric}{${labels
      .split(/,(?=[a-z]+=")/)
      .sort()
      .join(',')}}`
    if (series.has(id)) faults.push(`the same series twice: ${id}`)
    series.add(id)
  }
  return faults
}

describePostgres('metrics of several stashes', (body) => {
  let [main, jobs, idle]: PgStash[] = []

  beforeAll(async () => {
    ;[main, jobs, idle] = [body.open(), body.open(), body.open()]
    await main.namespace('a').set('k', 1)
    await jobs.namespace('a').get('k')
    await jobs.namespace('a').set('k', 1)
  })

  const both = () => ({ main: main as PgStash, jobs: jobs as PgStash })

  it('are one text of Prometheus', () => {
    const { main, jobs } = both()
    const text = prometheusText({ main, jobs, idle: idle as PgStash }, { app: 'shop "1"\\\n' })
    expect(faultsOf(text)).toEqual([])
    expect(text).toContain('pgstash_calls_total{app="shop \\"1\\"\\\\\\n",stash="main",operation="set"} 1\n')
    expect(text).toContain('pgstash_calls_total{app="shop \\"1\\"\\\\\\n",stash="jobs",operation="get"} 1\n')
    expect(text).toContain('pgstash_calls_under_way{app="shop \\"1\\"\\\\\\n",stash="idle"} 0\n')
    for (const list of [[main, jobs], [main, main], [main]]) expect(faultsOf(prometheusText(list))).toEqual([])
    expect(prometheusText([main, jobs])).toContain(`pgstash_calls_total{stash="${jobs.schema}",operation="get"} 1\n`)
    expect(faultsOf(prometheusText(main))).toEqual([])
    // The rules see what two texts in one are.
    expect(faultsOf(prometheusText(main) + prometheusText(jobs))).toContain('second HELP line for pgstash_calls_total')
  })

  it('refuse labels that Prometheus does not take, or that are there already', () => {
    const { main } = both()
    const refused = ['__name__', '__x', 'le', 'quantile', 'operation', 'state', 'my-app', '', '1st', 'é', 'a b']
    for (const name of refused) {
      expect(() => prometheusText(main, { [name]: 'x' }), name).toThrow(expect.objectContaining({ field: 'labels' }))
    }
    for (const labels of [{ app: 1 }, { app: undefined }, { app: null }, 'app', null, ['app']]) {
      expect(() => prometheusText(main, labels as never)).toThrow(expect.objectContaining({ field: 'labels' }))
    }
    expect(() => prometheusText(both(), { stash: 'x' })).toThrow(expect.objectContaining({ field: 'labels' }))
    expect(prometheusText(main, { stash: 'x' })).toContain('pgstash_calls_total{stash="x",operation="set"} 1\n')
  })

  it('refuse what is no stash', () => {
    const { main } = both()
    for (const source of [undefined, null, {}, [], { main: 1 }, [main, undefined], { '': main }, 'main']) {
      expect(() => prometheusText(source as never)).toThrow(expect.objectContaining({ field: 'stash' }))
    }
  })

  it('are told on one meter of OpenTelemetry, by one call or by several', async () => {
    const told = async (observe: (meter: ReturnType<MeterProvider['getMeter']>) => void) => {
      const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE)
      const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 })
      const provider = new MeterProvider({ readers: [reader] })
      observe(provider.getMeter('pgstash'))
      await reader.forceFlush()
      const metrics = exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics }) => metrics))
      await provider.shutdown()
      const calls = metrics
        .filter(({ descriptor }) => descriptor.name === 'pgstash.calls')
        .flatMap(({ dataPoints }) => dataPoints as { attributes: Record<string, unknown>; value: unknown }[])
      return calls.map(({ attributes, value }) => `${attributes.stash} ${attributes.operation} ${value}`).sort()
    }
    const expected = ['jobs get 1', 'jobs set 1', 'main set 1']
    expect(await told((meter) => void observeStash(meter, both(), { 'service.name': 'shop' }))).toEqual(expected)
    expect(
      await told((meter) => {
        for (const [stash, own] of Object.entries(both())) observeStash(meter, own, { stash })
      }),
    ).toEqual(expected)
    for (const attributes of [{ operation: 'x' }, { state: 'x' }, { '': 'x' }, { app: 1 }]) {
      expect(() => observeStash({} as never, main as PgStash, attributes as never)).toThrow(
        expect.objectContaining({ field: 'attributes' }),
      )
    }
  })
})
