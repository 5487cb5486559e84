import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import pg from 'pg'
import { describe, expect, inject, it } from 'vitest'
import { freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { type BuiltPackage, builtPackage, type Removal } from '../../support/rules/removals'
import { type History, tooOld } from './acknowledged'
import { playRounds } from './rounds'

/** More is found by more: `FENCE_SECONDS=60`. */
const seconds = Number(process.env.FENCE_SECONDS ?? rounds({ shallow: 4, deep: 30 }))
/** `FENCE_ROUNDS=100000` is the long run. */
const roundsPlayed = Number(process.env.FENCE_ROUNDS ?? rounds({ shallow: 1_500, deep: 20_000 }))
/** Of the runs without a rule, which end with the first in which something goes wrong. */
const attempts = [3, 6, 12, 24]
const boundMs = 300
const callers = Number(process.env.FENCE_CALLERS ?? 16)
const script = join(import.meta.dirname, '../../fixtures/loading/rounds.mjs')

interface Ended {
  /** By the verb that was missed, how many reads. */
  readonly found: Record<string, number>
  readonly reads: number
  readonly changes: number
  readonly loads: number
}

/** @param holdNear of each process, whether it does */
async function run(built: BuiltPackage, length: number, holdNear: readonly boolean[]): Promise<Ended> {
  const schema = freshSchema()
  const url = inject('postgresUrl')
  const { PgStash } = (await import(built.url)) as typeof import('../../../src/index')
  const stash = new PgStash({ connectionString: url, schema, sweeper: false })
  await stash.ready()
  await stash.close()
  await prepare(url, schema, holdNear.length * callers)
  const env = {
    PACKAGE: built.url,
    URL_OF_SERVER: url,
    SCHEMA: schema,
    SECONDS: String(length),
    BOUND_MS: String(boundMs),
  }
  const counts = { CALLERS: String(callers), PROCESSES: String(holdNear.length) }
  const outputs = holdNear.map((isNear, at) =>
    outputOf({ ...env, ...counts, NAME: String(at), IS_NEAR: isNear ? 'yes' : 'no' }),
  )
  const ended = (await Promise.all(outputs)).map((output) => JSON.parse(output) as History & { loads: number })
  const sum = (count: (one: (typeof ended)[number]) => number) => ended.reduce((total, one) => total + count(one), 0)
  return {
    found: tooOld(
      ended,
      holdNear.map((isNear) => (isNear ? boundMs : 0)),
    ),
    reads: sum(({ reads }) => reads.length),
    changes: sum(({ changes }) => changes.length),
    loads: sum(({ loads }) => loads),
  }
}

async function prepare(url: string, schema: string, keys: number): Promise<void> {
  const client = new pg.Client(url)
  await client.connect()
  await client.query(`create table ${schema}.source (key text primary key, n bigint not null) with (fillfactor = 10)`)
  await client.query(`insert into ${schema}.source select 'k' || i || '-', 0 from generate_series(0, ${keys - 1}) i`)
  await client.end()
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

/** The rules of the fence, and how the package reads without each. */
const rules: readonly {
  readonly name: string
  readonly removals: readonly Removal[] /** Found by many processes, not by two. */
  readonly isOfProcesses?: boolean
}[] = [
  {
    name: 'what was loaded is stored only while the row of the entry has the version that the claim saw',
    removals: [{ rule: ' and e.version = v_lease.seen\n      for update', without: '\n      for update' }],
  },
  {
    name: 'it is stored by the token of its own claim',
    removals: [
      {
        rule: /(delete from "pgstash"\.lease l\n {4}where l\.tenant = p_tenant\[i\] and l\.namespace = p_namespace\[i\] and l\.key = p_key\[i\]) and l\.token = p_token\[i\]\n {4}returning/,
        without: `delete from "pgstash".lease l
    where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i]
    returning`,
      },
    ],
  },
  {
    name: 'it is stored in the generation of the claim',
    removals: [
      { rule: /continue when not found or v_lease\.generation <> .*;/, without: 'continue when not found;' },
      {
        rule: 'generation = case when v_numbers is null then v_lease.generation else ~v_lease.generation end',
        without:
          'generation = case when v_numbers is null then "pgstash".generation_of(p_tenant[i], p_namespace[i]) else ~"pgstash".generation_of(p_tenant[i], p_namespace[i]) end',
      },
    ],
  },
  {
    name: 'its tags still have the numbers of the claim',
    removals: [
      {
        rule: "or v_numbers[1 : coalesce(cardinality(v_lease.tags), 0)] is distinct from coalesce(v_lease.tags, '{}')",
        without: '',
      },
    ],
  },
  {
    name: 'no tag that the loader added was deleted by since the claim',
    removals: [{ rule: 'not pg_visible_in_snapshot(t.bumped, v_lease.snapshot)', without: 'false' }],
  },
  {
    name: 'an expiry voids the load of what is not there yet',
    removals: [
      {
        rule: 'delete from "pgstash".entry e where e.ctid = v_entry.ctid;\n      continue;',
        without: 'continue;',
      },
    ],
  },
  {
    name: 'an expiry gives the row another version',
    removals: [
      {
        rule: /v_version := nextval\('"pgstash"\.version'\);\n {4}update "pgstash"\.entry e set\n {6}version = v_version,\n {6}expires_at = least/,
        without: `v_version := (select e.version from "pgstash".entry e where e.ctid = v_entry.ctid);
    update "pgstash".entry e set
      version = v_version,
      expires_at = least`,
      },
    ],
  },
  {
    name: 'who joined a load after its claim does not take what something has voided since',
    isOfProcesses: true,
    removals: [{ rule: 'outcome.isForEarlier && joinedAt >= outcome.asOf', without: 'false' }],
  },
]

const plain = [false, false, false]

describe('rounds of load, change and store over processes', { timeout: 900_000 }, () => {
  it.each([
    ['without near', plain],
    ['with near', [true, false, true]],
  ])('read nothing from before an acknowledged change: %s', async (_, holdNear) => {
    const { found, ...counts } = await run(await builtPackage(), seconds, holdNear)
    if (process.env.FENCE_SECONDS) console.log(counts, found)
    expect(found).toEqual({})
    expect(counts.changes).toBeGreaterThan(100)
    expect(counts.loads).toBeGreaterThan(100)
  })

  it('read nothing from before it, where one process loads and another changes', async () => {
    const built = await builtPackage()
    expect(await played(built, roundsPlayed)).toEqual({})
  })

  it.each(rules)('would, without the rule that $name', async ({ removals, isOfProcesses = false }) => {
    const built = await builtPackage(removals)
    let found: Record<string, number> = {}
    for (const attempt of attempts) {
      found = isOfProcesses ? (await run(built, attempt, plain)).found : await played(built, attempt * 400)
      if (process.env.FENCE_SECONDS) console.log(attempt, found)
      if (Object.keys(found).length > 0) break
    }
    await built.remove()
    expect(found).not.toEqual({})
  })
})

async function played(built: BuiltPackage, count: number): Promise<Record<string, number>> {
  const loaded = (await import(built.url)) as typeof import('../../../src/index')
  return playRounds(loaded, { url: inject('postgresUrl'), schema: freshSchema(), count })
}
