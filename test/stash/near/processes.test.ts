import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema } from '../../support/bodies'
import { rounds } from '../../support/depth'
import { FaultyProxy } from '../../support/servers/faulty-proxy'
import { hasPgBouncer, PgBouncer } from '../../support/servers/pgbouncer'
import { durableSettings, TestServer } from '../../support/servers/postgres'
import { sleep } from '../../support/sleep'
import { type Findings, judge, type Told } from './history'

/** More is found by more: a million reads take `NEAR_SECONDS=60`. */
const seconds = Number(process.env.NEAR_SECONDS ?? rounds({ shallow: 4, deep: 20 }))
const boundMs = 300
const script = join(import.meta.dirname, '../../fixtures/near/process.mjs')

interface Run {
  /** Where each process connects. */
  readonly urls: readonly string[]
  readonly listens?: boolean
  readonly seconds?: number
  readonly writes?: number
  /** What goes wrong meanwhile. */
  readonly trouble?: (children: readonly ChildProcess[]) => Promise<void>
}

/** Processes that hold near, and one that does not, all at the same few keys. */
async function run({ urls, listens = true, seconds: length = seconds, writes = 0.05, trouble }: Run) {
  const schema = freshSchema()
  const stash = new PgStash({ connectionString: urls[0] as string, schema, sweeper: false })
  await stash.ready()
  await stash.close()
  const children = [...urls, urls[0] as string].map((url, at) => {
    const near = { maxStalenessMs: boundMs, pollMs: 50, ...(listens ? {} : { listen: false }) }
    const env = { NAME: `p${at}`, URL_OF_SERVER: url, SCHEMA: schema, SECONDS: String(length), CALLERS: '6' }
    const holds = at < urls.length
    const own = { ...env, NEAR: JSON.stringify(near), WRITES: String(writes), IS_NEAR: holds ? 'yes' : 'no' }
    return spawn(process.execPath, [script], { env: { ...process.env, ...own }, stdio: ['ignore', 'pipe', 'inherit'] })
  })
  const outputs = children.map(outputOf)
  await trouble?.(children)
  const ended = (await Promise.all(outputs)).map(
    (output) => JSON.parse(output.split('\n').at(-2) as string) as { told: Told[]; stats: { hits: number } },
  )
  const findings = judge(
    ended.map(({ told }) => told),
    boundMs,
  )
  const hits = ended.reduce((sum, { stats }) => sum + stats.hits, 0)
  if (process.env.NEAR_SECONDS) console.log({ reads: findings.reads, writes: findings.writes, hits })
  return { findings, hits }
}

function outputOf(child: ChildProcess): Promise<string> {
  let output = ''
  child.stdout?.on('data', (chunk: Buffer) => {
    output += chunk
  })
  return new Promise((resolve) => child.on('close', () => resolve(output)))
}

const faultless = { tooStale: [], ownWriteLost: [], wentBack: [] }
const faultsOf = ({ tooStale, ownWriteLost, wentBack }: Findings) => ({
  tooStale: tooStale.slice(0, 5),
  ownWriteLost: ownWriteLost.slice(0, 5),
  wentBack: wentBack.slice(0, 5),
})

describe('processes that hold near read nothing too old, lose no write of theirs, and never go back', {
  timeout: 300_000,
}, () => {
  const url = () => inject('postgresUrl')

  it.each([true, false])('with the bell: %s', async (listens) => {
    const { findings, hits } = await run({ urls: [url(), url(), url()], listens })
    expect(faultsOf(findings)).toEqual(faultless)
    expect(hits).toBeGreaterThan(1_000)
  })

  it('where all write', async () => {
    const { findings } = await run({ urls: [url(), url()], writes: 0.6 })
    expect(faultsOf(findings)).toEqual(faultless)
  })

  it('while the connections of one of them stand still', async () => {
    const proxy = await FaultyProxy.before(url())
    const trouble = async () => {
      await sleep(2_500)
      proxy.freeze()
      await sleep(2_000)
      proxy.thaw()
    }
    const { findings, hits } = await run({ urls: [url(), proxy.url], seconds: Math.max(seconds, 7), trouble })
    await proxy.close()
    expect(faultsOf(findings)).toEqual(faultless)
    expect(hits).toBeGreaterThan(1_000)
  })

  it('while one of them is stopped for five seconds', async () => {
    const trouble = async ([first]: readonly ChildProcess[]) => {
      await sleep(2_500)
      first?.kill('SIGSTOP')
      await sleep(5_000)
      first?.kill('SIGCONT')
    }
    const { findings } = await run({ urls: [url(), url()], seconds: Math.max(seconds, 10), trouble })
    expect(faultsOf(findings)).toEqual(faultless)
  })

  it.runIf(hasPgBouncer)('behind PgBouncer, in transaction mode', async () => {
    const bouncer = await PgBouncer.before(url())
    const { findings, hits } = await run({ urls: [bouncer.url, bouncer.url] })
    await bouncer.stop()
    expect(faultsOf(findings)).toEqual(faultless)
    expect(hits).toBeGreaterThan(1_000)
  })

  describe('on a server of their own', () => {
    let server: TestServer
    beforeAll(async () => {
      server = await (await TestServer.create(durableSettings)).start()
    })
    afterAll(() => server.remove())

    it('that is killed, and comes back', async () => {
      const trouble = async () => {
        await sleep(3_000)
        await server.crash()
        await server.start()
      }
      const urls = [server.url(), server.url()]
      const { findings } = await run({ urls, seconds: Math.max(seconds, 9), trouble })
      expect(faultsOf(findings)).toEqual(faultless)
    })
  })
})
