import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { describe, expect, inject, it } from 'vitest'
import { freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { type BuiltPackage, builtPackage, type Removal } from '../../support/rules/removals'
import { type Findings, judge, type Told } from './history'

/** More is found by more: `TAG_SECONDS=60`. */
const seconds = Number(process.env.TAG_SECONDS ?? rounds({ shallow: 4, deep: 20 }))
/** Of the runs without a rule, which end with the first in which something goes wrong. */
const attempts = [3, 6, 12, 24]
const boundMs = 300
const script = join(import.meta.dirname, '../../fixtures/tags/process.mjs')
const anHour = 3_600_000

/** Of each process: whether it holds near, and how wrong its clock is. */
const processes = [
  { isNear: false, clockMs: 0 },
  { isNear: false, clockMs: anHour },
  { isNear: true, clockMs: -anHour },
]

/** Ready before they begin: nobody waits for another's migrations. */
async function run(built: BuiltPackage, seconds: number): Promise<{ findings: Findings; hits: number }> {
  const schema = freshSchema()
  const url = inject('postgresUrl')
  const { PgStash } = (await import(built.url)) as typeof import('../../../src/index')
  const stash = new PgStash({ connectionString: url, schema, sweeper: false })
  await stash.ready()
  await stash.close()
  const env = { PACKAGE: built.url, URL_OF_SERVER: url, SCHEMA: schema, CALLERS: '6', BOUND_MS: String(boundMs) }
  const outputs = processes.map(({ isNear, clockMs }, at) =>
    outputOf({
      ...env,
      NAME: `p${at}`,
      SECONDS: String(seconds),
      IS_NEAR: isNear ? 'yes' : 'no',
      CLOCK_MS: String(clockMs),
    }),
  )
  const ended = (await Promise.all(outputs)).map(
    (output) => JSON.parse(output.split('\n').at(-2) as string) as { told: Told[]; hits: number },
  )
  const findings = judge(
    ended.map(({ told }) => told),
    processes.map(({ isNear }) => (isNear ? boundMs : 0)),
  )
  return { findings, hits: ended.reduce((sum, { hits }) => sum + hits, 0) }
}

async function outputOf(env: Record<string, string>): Promise<string> {
  const child = spawn(process.execPath, [script], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  let output = ''
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk
  })
  await once(child, 'close')
  return output
}

/** Rules, and what goes wrong where each is left out. */
const rules: readonly (Removal & { readonly name: string; readonly breaks: 'tooOld' | 'outOfOrder' | 'gone' })[] = [
  {
    name: 'a read looks at the tags',
    rule: 'e.generation >= 0 or pg_catalog.cardinality(e.tags)',
    without: 'true or pg_catalog.cardinality(e.tags)',
    breaks: 'tooOld',
  },
  {
    name: 'a read of entries looks at the tags',
    rule: 'and (e.generation >= 0 or "pgstash".tags_hold(k.tenant, e.tags));\nend $$;\n\ncreate or replace function "pgstash".read_ttls',
    without: ';\nend $$;\n\ncreate or replace function "pgstash".read_ttls',
    breaks: 'tooOld',
  },
  {
    name: 'a number is that of no other tag, nor ever was',
    rule: `select k.tenant, k.namespace, k.tag, nextval('"pgstash".version'), k.until +`,
    without: 'select k.tenant, k.namespace, k.tag, 1, k.until +',
    breaks: 'gone',
  },
  {
    name: 'a deletion counts, or fails, for what its transaction does not see',
    rule: /insert into "pgstash"\.tag as t \(tenant, namespace, tag, generation, bumped, kept_until\)[\s\S]*?returning t/,
    without: `update "pgstash".tag t set previous = t.generation, generation = nextval('"pgstash".version'), kept_until = null
    from unnest(p_tenant, p_namespace, p_tag) as u (tenant, namespace, tag)
    where t.tenant = u.tenant and t.namespace = u.namespace and t.tag = u.tag
    returning t`,
    breaks: 'tooOld',
  },
  {
    name: 'a deletion tells those who hold near',
    rule: 'where n.uses & 3 <> 0 and b.previous is not null',
    without: 'where false',
    breaks: 'tooOld',
  },
  {
    name: 'a deletion is a barrier of its process',
    rule: 'return this.#alone([this.scopeOf(address)], work);',
    without: 'return work();',
    breaks: 'outOfOrder',
  },
]

const few = (several: readonly string[]) => several.slice(0, 5)

describe('processes that store, read and delete by tags, also in transactions that run on, and whose clocks are an hour apart', {
  timeout: 300_000,
}, () => {
  it('read nothing that was deleted before, and all that was not', async () => {
    const { findings, hits } = await run(await builtPackage(), seconds)
    const { tooOld, outOfOrder, gone, ...counts } = findings
    if (process.env.TAG_SECONDS) console.log({ ...counts, hits })
    expect({ tooOld: few(tooOld), outOfOrder: few(outOfOrder), gone: few(gone) }).toEqual({
      tooOld: [],
      outOfOrder: [],
      gone: [],
    })
    expect(counts.reads).toBeGreaterThan(1_000)
    expect(counts.deletions).toBeGreaterThan(50)
    expect(hits).toBeGreaterThan(100)
  })

  it.each(rules)('would not, without the rule that $name', async ({ breaks, ...removal }) => {
    const built = await builtPackage([removal])
    let found = 0
    for (const length of attempts) {
      const { findings } = await run(built, length)
      found = findings[breaks].length
      if (process.env.TAG_SECONDS)
        console.log(removal.rule, findings.tooOld.length, findings.outOfOrder.length, findings.gone.length)
      if (found > 0) break
    }
    await built.remove()
    expect(found).toBeGreaterThan(0)
  })
})
