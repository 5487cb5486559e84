import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { freshSchema } from '../support/bodies'
import { rounds } from '../support/depth'
import { sleep } from '../support/sleep'

const schema = freshSchema()
const connectionString = inject('postgresUrl')
const stash = new PgStash({ connectionString, schema })
const pool = new pg.Pool({ connectionString, max: 2 })

const leaseMs = 400
const processes = 8
/** `LOCK_SECTIONS=10000` is the long run: ten minutes and more of a machine of its own. */
const sections = Number(process.env.LOCK_SECTIONS ?? rounds({ shallow: 800, deep: 2_500 }))

/** One critical section, as its process told it: microseconds of the machine's clock. */
interface Section {
  readonly token: number
  readonly from: number
  readonly until: number
  readonly isWritten: boolean
  readonly wasHeld: boolean
}

beforeAll(async () => {
  await stash.ready()
  await pool.query(`create table ${schema}.guarded (token bigint not null, n bigint not null)`)
  await pool.query(`insert into ${schema}.guarded values (0, 0)`)
  await pool.query(`create table ${schema}.holder (token bigint primary key, pid int not null)`)
  await pool.query(`create table ${schema}.written (seq serial primary key, token bigint not null, n bigint not null)`)
})

afterAll(async () => {
  await stash.close()
  await pool.query(`drop schema ${schema} cascade`)
  await pool.end()
})

/** Several processes, of which some are stopped for a while, and some are killed. */
class Crowd {
  readonly told: Section[] = []
  readonly failures: string[] = []
  readonly #members = new Set<ChildProcess>()

  add(): void {
    const script = join(import.meta.dirname, 'lock-holders.mjs')
    const child = spawn(process.execPath, [script, connectionString, schema, String(leaseMs)])
    this.#members.add(child)
    createInterface(child.stdout).on('line', (line) => this.told.push(JSON.parse(line) as Section))
    child.stderr.on('data', (chunk: Buffer) => this.failures.push(chunk.toString()))
    child.on('exit', (code) => {
      if (code !== null && code !== 0) this.failures.push(`a process ended with ${code}`)
    })
    child.stdin.on('error', () => {})
  }

  /** Mostly whoever holds the lock now, or did a moment ago. */
  async #one(): Promise<ChildProcess> {
    const { rows } = await pool.query(`select pid from ${schema}.holder order by token desc limit 1`)
    const all = [...this.#members]
    const holder = all.find(({ pid }) => pid === rows[0]?.pid)
    return holder ?? (all[Math.floor(Math.random() * all.length)] as ChildProcess)
  }

  /** For longer than its lease, so that what it held is another's when it goes on. */
  async stop(): Promise<void> {
    const child = await this.#one()
    child.kill('SIGSTOP')
    await sleep(leaseMs * (1 + Math.random()))
    child.kill('SIGCONT')
  }

  async replace(): Promise<void> {
    const child = await this.#one()
    this.#members.delete(child)
    if (child.exitCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    this.add()
  }

  async end(): Promise<void> {
    // Of one that has failed, the end was told before.
    const running = [...this.#members].filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
    const ended = running.map((child) => once(child, 'exit'))
    for (const child of running) child.stdin?.write('end\n')
    await Promise.all(ended)
  }
}

it('eight processes that are stopped and killed in critical sections never hold a token twice, nor count wrong', {
  timeout: 1_800_000,
}, async () => {
  const crowd = new Crowd()
  for (let count = 0; count < processes; count += 1) crowd.add()
  await expect.poll(() => crowd.told.length, { timeout: 60_000 }).toBeGreaterThan(0)
  let [stops, kills] = [0, 0]
  while (crowd.told.length < sections && crowd.failures.length === 0) {
    await sleep(100 * Math.random())
    if (Math.random() < 0.7) {
      await crowd.stop()
      stops += 1
    } else {
      await crowd.replace()
      kills += 1
    }
  }
  await crowd.end()
  expect(crowd.failures).toEqual([])
  const told = [...crowd.told].sort((a, b) => a.token - b.token)
  const lost = told.filter(({ wasHeld }) => !wasHeld).length
  const refused = told.filter(({ isWritten }) => !isWritten).length
  console.log(
    `${told.length} critical sections, ${stops} stops, ${kills} kills: ${lost} lost, ${refused} writes refused`,
  )
  // The holders' own table has a unique index on the token: a second one would have failed its process.
  const rows = (text: string) =>
    pool.query({ text, rowMode: 'array' }).then((result) => result.rows.map((row) => row.map(Number)))
  expect(new Set(told.map(({ token }) => token)).size).toBe(told.length)
  // Nobody believes to hold it who is not the only one.
  const pairs = told.slice(1).map((later, at) => [told[at] as Section, later] as const)
  expect(pairs.filter(([earlier, later]) => later.from < earlier.until)).toEqual([])
  // Writes are in the order of their tokens, and each counts one on.
  const written = await rows(`select token, n from ${schema}.written order by seq`)
  expect(written.map(([token]) => token)).toEqual(
    written.map(([token]) => token).sort((a, b) => (a as number) - (b as number)),
  )
  expect(written.map(([, n]) => n)).toEqual(written.map((_, at) => at + 1))
  // What was acknowledged is counted; of who was killed, what he had written is as well.
  const [[n]] = (await rows(`select n from ${schema}.guarded`)) as [[number]]
  expect(n).toBe(written.length)
  const acknowledged = told.filter(({ isWritten }) => isWritten).map(({ token }) => token)
  const found = new Set(written.map(([token]) => token))
  expect(acknowledged.filter((token) => !found.has(token))).toEqual([])
  expect(written.length - acknowledged.length).toBeLessThanOrEqual(kills)
})
