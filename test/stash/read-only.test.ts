import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import pg from 'pg'
import { afterAll, beforeAll, expect, inject, it } from 'vitest'
import { PgStash } from '../../src/stash/pg-stash'
import { freshSchema, urlAs } from '../support/bodies'
import { sleep } from '../support/sleep'

const schema = freshSchema()
const role = `${schema}_reader`
const server = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })

beforeAll(async () => {
  const primary = new PgStash({ connectionString: inject('postgresUrl'), schema })
  await primary.namespace('n').set('k', 'v')
  await primary.close()
  await server.query(`create role ${role} login superuser`)
  await server.query(`alter role ${role} set default_transaction_read_only = on`)
})

afterAll(async () => {
  await server.query(`drop schema ${schema} cascade; drop role ${role}`)
  await server.end()
})

it('a stash with default options reads where nothing can be written, and sweeps nothing there', async () => {
  const told: unknown[] = []
  const listen = (message: unknown) => void told.push(message)
  subscribe('pgstash:sweep', listen)
  const standby = new PgStash({
    connectionString: urlAs(role, inject('postgresUrl')),
    schema,
    sweeper: { intervalMs: 20 },
  })
  expect(await standby.namespace('n').get('k')).toBe('v')
  await sleep(300)
  await standby.close()
  unsubscribe('pgstash:sweep', listen)
  expect(told).toEqual([])
})

it('says that the schema is missing there, and to migrate on the primary', async () => {
  const standby = new PgStash({ connectionString: urlAs(role, inject('postgresUrl')), schema: freshSchema() })
  await expect(standby.ready()).rejects.toMatchObject({ code: 'ERR_PGSTASH_SCHEMA_OUTDATED' })
  await standby.close()
})
