import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { describePostgres } from '../support/bodies'

const { postgres } = JSON.parse(readFileSync(join(import.meta.dirname, 'versions.json'), 'utf8')) as {
  postgres: string[]
}

/** Without a name it is the project's own run, on the newest PostgreSQL. */
const name = process.env.PGSTASH_RUN ?? `PostgreSQL ${postgres.at(-1)?.split('.', 2).join('.')}`

// Binaries that were not found would else be the project's own: five runs of one version, all well.
describePostgres('this run', (body) => {
  it(`is on ${name}`, async () => {
    const [[server]] = (await body.sql('show server_version')) as [[string]]
    expect([`PostgreSQL ${server}`, `Node ${process.versions.node}`]).toContain(name)
  })
})
