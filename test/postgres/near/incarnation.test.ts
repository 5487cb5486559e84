import { expect, it, onTestFinished } from 'vitest'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema } from '../../support/bodies'
import { durableSettings, TestServer } from '../../support/servers/postgres'
import { openLog } from './open-log'

async function server(): Promise<TestServer> {
  const made = await TestServer.create(durableSettings)
  await made.start()
  onTestFinished(() => made.remove())
  return made
}

it.each([
  ['crashes', (running: TestServer) => running.crash()],
  ['is stopped at once', (running: TestServer) => running.stop('SIGQUIT')],
  ['is restarted in peace, for that may be a copy of it', (running: TestServer) => running.stop()],
] as const)('a log is another one once the server %s', async (_how, stop) => {
  const running = await server()
  const schema = freshSchema()
  const log = await openLog({ connectionString: running.url(), schema })
  await log.mark('acme', 'n')
  const stash = new PgStash({ connectionString: running.url(), schema, sweeper: false })
  onTestFinished(() => stash.close())
  const cache = stash.tenant('acme').namespace('n')
  const { position } = await log.poll(undefined)
  await cache.set('a', 1)
  await stop(running)
  await running.start()
  // The connection that was lost is replaced.
  const page = await log.poll(position).catch(() => log.poll(position))
  expect(page.lost).toBe('incarnation')
  expect((await log.poll(page.position)).lost).toBeUndefined()
  // The mark has survived, as what is committed does (where it is not, nobody keeps what is read): what is written now is told.
  await cache.set('a', 2)
  expect((await log.poll(page.position)).rows).toHaveLength(1)
})

it('a dump brings the uuid of its log along, and is another log', async () => {
  const running = await server()
  const schema = freshSchema()
  const log = await openLog({ connectionString: running.url(), schema })
  const { position } = await log.poll(undefined)
  const { default: pg } = await import('pg')
  const client = new pg.Client(running.url())
  await client.connect()
  // As a dump would make the table anew.
  await client.query(`
    begin;
    create table public.kept as select * from ${schema}.incarnation;
    alter table ${schema}.incarnation rename to gone;
    create unlogged table ${schema}.incarnation (like ${schema}.gone including all);
    insert into ${schema}.incarnation select * from public.kept;
    commit`)
  await client.end()
  expect((await log.poll(position)).lost).toBe('incarnation')
})
