import { spawnSync } from 'node:child_process'
import { createClient } from '@redis/client'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { startFakeRedis } from '../support/servers/fake-redis'
import { sleep } from '../support/sleep'
import { freshName, onTerminal } from './pgstash'

/** That of util-linux; the others have other flags. */
const hasScript = /util-linux/.test(String(spawnSync('script', ['--version']).stdout ?? ''))

describe.runIf(hasScript)('on a terminal', () => {
  const schema = freshName()
  const at = ['--schema', schema]
  let stash: PgStash

  beforeAll(async () => {
    stash = new PgStash({ connectionString: inject('postgresUrl'), schema, sweeper: false })
    await stash.namespace('views').set('k', 1)
  })

  afterAll(async () => {
    await stash.close()
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    await pool.query(`drop schema ${schema} cascade`)
    await pool.end()
  })

  it('redraws the live screen in place, and leaves the terminal as it was at Ctrl-C', async () => {
    const { code, stdout } = await onTerminal(['stats', '--watch', '0.2', ...at], /last sweep[\s\S]*last sweep/, '\x03')
    expect(code).toBe(0)
    expect(stdout.split('\x1b[H').length - 1).toBeGreaterThan(1)
    expect(stdout).toContain('\x1b[?1049h\x1b[?25l')
    expect(stdout.trimEnd().endsWith('\x1b[?25h\x1b[?1049l')).toBe(true)
  })

  it('tells a database that goes away, and goes on when it is back', async () => {
    const ended = onTerminal(['stats', '--watch', '0.2', ...at], /ERR_PGSTASH_[\s\S]*last sweep/, '\x03')
    const pool = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
    // The first screen has to come.
    await sleep(1_000)
    for (let at = 0; at < 40; at += 1) {
      await pool.query(
        `select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'pgstash cli' and query like '%"${schema}"%'`,
      )
      await sleep(50)
    }
    await pool.query(`alter schema ${schema} rename to ${schema}_away`)
    await sleep(700)
    await pool.query(`alter schema ${schema}_away rename to ${schema}`)
    await pool.end()
    expect(await ended).toMatchObject({ code: 0, stdout: expect.stringContaining('ERR_PGSTASH_') })
  })

  it('asks before it clears, and takes no for no', async () => {
    const question = /Clear 1 live entry of tenant default in the schema \w+\? \[y\/N\] /
    const clear = ['clear', '--tenant', 'default', ...at]
    for (const no of ['\r', 'n\r', '\x03', '\x04']) {
      const { code, stdout } = await onTerminal(clear, question, no)
      expect({ code, stdout }).toEqual({
        code: 1,
        stdout: expect.stringContaining('ERR_PGSTASH_STOPPED: nothing was done.'),
      })
    }
    expect(await stash.namespace('views').has('k')).toBe(true)
    expect(await onTerminal(clear, question, 'y\r')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Cleared 1 live entry'),
    })
    expect(await stash.namespace('views').has('k')).toBe(false)
  })

  it('asks before it imports over entries, and takes no for no', async () => {
    const redis = await startFakeRedis()
    const client = createClient({ url: redis.url })
    await client.connect()
    await client.set('k', 'theirs')
    const cache = stash.namespace('imported')
    await cache.set('k', 'ours')
    const copy = ['import', '--from', redis.url, '--namespace', 'imported', ...at]
    const question = /The namespace imported holds entries; same keys are overwritten\. Go on\? \[y\/N\] /
    for (const no of ['\r', '\x03', '\x04'])
      expect(await onTerminal(copy, question, no)).toMatchObject({
        code: 1,
        stdout: expect.stringContaining('ERR_PGSTASH_STOPPED: nothing was done.'),
      })
    expect(await cache.get('k')).toBe('ours')
    expect(await onTerminal(copy, question, 'y\r')).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('Wrote 1 to'),
    })
    expect(await cache.get('k')).toBe('theirs')
    client.destroy()
    await redis.close()
  })

  it('has colours, and a bar that goes away', async () => {
    const { code, stdout } = await onTerminal(['cleanup', ...at], 'Removed', '')
    expect(code).toBe(0)
    expect(stdout).toMatch(
      /\[[#-]{30}\] \d+ %[\s\S]*\r.\[KRemoved 0 expired entries, 0 sessions, 0 rate limits, 1 cleared in/,
    )
    expect((await onTerminal(['doctor', ...at], 'unknown', '')).stdout).toContain('\x1b[32mok     \x1b[0m')
  })
})
