import pg from 'pg'
import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest'
import { freshSchema } from '../support/bodies'
import { runCommand } from '../support/processes'

const application = freshSchema()
const admin = new pg.Pool({ connectionString: inject('postgresUrl'), max: 1 })
const address = new URL(inject('postgresUrl'))
address.pathname = `/${application}`
address.searchParams.set('application_name', application)

/** Generous: nothing is to be waited for. What could hold a process (an idle connection, the limit of a call, the sweeper's pause) lasts ten seconds and more. */
const soonMs = 5_000

beforeAll(async () => {
  await admin.query(`create database ${application}`)
})

afterAll(async () => {
  await admin.query(`drop database ${application} with (force)`)
  await admin.end()
})

describe('a process with 40 stores of one URL', () => {
  it.each(['closed', 'left open'])(
    'has at most 5 backends, and ends by itself at once when they are %s',
    async (stores) => {
      const script = ['test/package/forty-stores.mjs', address.href, application, stores]
      const { code, output } = await runCommand(process.execPath, script)
      const endedAt = Date.now()
      expect(code, output).toBe(0)
      const { backends, doneAt } = JSON.parse(output) as { backends: number; doneAt: number }
      expect(backends).toBeGreaterThan(0)
      expect(backends).toBeLessThanOrEqual(5)
      expect(endedAt - doneAt).toBeLessThan(soonMs)
    },
    60_000,
  )
})
