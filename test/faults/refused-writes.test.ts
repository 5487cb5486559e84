import { execFileSync } from 'node:child_process'
import { chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { Load } from '../support/load'
import { TestServer } from '../support/servers/postgres'
import { unprivilegedUser } from '../support/servers/unprivileged-user'
import { sleep } from '../support/sleep'

describe('a server that refuses to write', () => {
  let server: TestServer
  let admin: pg.Pool

  beforeAll(async () => {
    server = await (await TestServer.create()).start()
    admin = new pg.Pool({ connectionString: server.url(), max: 1 })
    // The server may end a connection that the pool is just ending itself: `end()` does not wait for it, and the pool tells it then.
    admin.on('error', () => {})
  })
  afterAll(async () => {
    await admin.end()
    await server.remove()
  })

  const setReadOnly = async (value: 'on' | 'off') => {
    await admin.query(`alter system set default_transaction_read_only = ${value}`)
    await admin.query('select pg_reload_conf()')
  }

  it('read-only: reads go on, writes fail as what they are, and are served again afterwards', async () => {
    const stash = new PgStash({ connectionString: server.url(), schema: 'read_only', breaker: false })
    const cache = stash.namespace('a')
    await cache.set('k', 1)
    const load = await Load.on(stash)
    await load.recovers()
    await setReadOnly('on')
    const refused = { code: 'ERR_PGSTASH_DATABASE', sqlState: '25006' }
    await expect.poll(() => cache.set('k', 1).catch((error) => error), { timeout: 5_000 }).toMatchObject(refused)
    expect(await cache.get('k')).toBe(1)
    await expect(cache.increment('n')).rejects.toMatchObject(refused)
    const late = new PgStash({ connectionString: server.url(), schema: 'read_only' })
    expect(await late.namespace('a').get('k')).toBe(1)
    await late.close()
    await setReadOnly('off')
    await expect.poll(() => cache.set('k', 3).catch((error) => error), { timeout: 5_000 }).toHaveProperty('version')
    await load.recovers(600)
    const report = await load.stop()
    expect(Object.keys(report.failures)).toEqual(['DATABASE 25006'])
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(await load.audit()).toEqual([])
    await stash.close()
  })

  it.skipIf(!canMount())('disk full: reads go on, writes fail as what they are, until there is room', async () => {
    const disk = SmallDisk.mount('6m')
    await admin.query(`create tablespace small location '${disk.directory}'`)
    const stash = new PgStash({ connectionString: server.url(), schema: 'full' })
    const cache = stash.namespace('a')
    await cache.set('k', 1)
    await admin.query('alter table "full".entry set tablespace small')
    const load = await Load.on(stash)
    await load.recovers()
    const refused = { code: 'ERR_PGSTASH_DATABASE', sqlState: '53100' }
    const isFull = await fill(cache.set.bind(cache))
    expect(isFull).toMatchObject(refused)
    expect(await cache.get('k')).toBe(1)
    await expect(cache.set('more', 'x'.repeat(1_000_000))).rejects.toMatchObject(refused)
    await sleep(300)
    expect(await cache.get('k')).toBe(1)
    disk.resize('60m')
    expect(await cache.set('more', incompressible())).toHaveProperty('version')
    await load.recovers()
    const report = await load.stop()
    expect(Object.keys(report.failures).filter((label) => label !== 'DATABASE 53100')).toEqual([])
    expect(report).toMatchObject({ hanging: [], wrong: [] })
    expect(await load.audit()).toEqual([])
    await stash.close()
    await admin.query('drop schema "full" cascade')
    await admin.query('drop tablespace small')
    disk.remove()
  })
})

/** Writes large values until one is refused; answers its error. */
async function fill(set: (key: string, value: Buffer) => Promise<unknown>): Promise<unknown> {
  for (let at = 0; at < 100; at += 1) {
    try {
      await set(`large-${at}`, incompressible())
    } catch (error) {
      return error
    }
  }
  return undefined
}

/** TOAST makes nothing of it. */
function incompressible(): Buffer {
  return Buffer.from(crypto.getRandomValues(new Uint8Array(60_000)))
}

/** A file system in memory of a few mebibytes: a real "No space left on device". */
class SmallDisk {
  private constructor(
    readonly directory: string,
    readonly mountPoint: string,
  ) {}

  static mount(size: string): SmallDisk {
    const mountPoint = mkdtempSync(join(tmpdir(), 'pgstash-disk-'))
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', mountPoint], { stdio: 'ignore' })
    const directory = join(mountPoint, 'tablespace')
    mkdirSync(directory)
    const { uid, gid } = unprivilegedUser() as { uid: number; gid: number }
    chownSync(directory, uid, gid)
    return new SmallDisk(directory, mountPoint)
  }

  resize(size: string): void {
    execFileSync('mount', ['-o', `remount,size=${size}`, this.mountPoint])
  }

  remove(): void {
    execFileSync('umount', ['-l', this.mountPoint])
    rmSync(this.mountPoint, { recursive: true })
  }
}

function canMount(): boolean {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return false
  try {
    SmallDisk.mount('1m').remove()
    return true
  } catch {
    return false
  }
}
