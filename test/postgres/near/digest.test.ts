import pg from 'pg'
import { afterAll, describe, expect, inject, it } from 'vitest'
import { addressOf } from '../../../src/coalescing/address'
import { digestOf, loggedDigest } from '../../../src/postgres/near/digest'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema } from '../../support/bodies'
import { keyDigest, namespaceDigest, tenantDigest } from './plain-digests'

const server = inject('postgresUrl')
const encodings: [name: string, letters: string][] = [
  ['UTF8', 'é漢🙂\u{10ffff}'],
  ['LATIN1', 'é§ÿ'],
  ['EUC_JP', '漢ユ熙'],
  ['SQL_ASCII', 'é漢🙂'],
]

describe.each(encodings)('digests in a database in %s', (encoding, letters) => {
  const admin = new pg.Client(server)
  const database = freshSchema()
  const connectionString = server.replace(/\/[^/]*$/, `/${database}`)

  afterAll(async () => {
    await admin.query(`drop database ${database} with (force)`)
    await admin.end()
  })

  it('are those of Node', async () => {
    await admin.connect()
    await admin.query(`create database ${database} encoding '${encoding}' template template0 locale 'C'`)
    const stash = new PgStash({ connectionString, schema: 's', sweeper: false })
    await stash.ready()
    await stash.close()
    const client = new pg.Client(connectionString)
    client.on('error', () => {})
    await client.connect()
    const names = [
      '',
      'a',
      'session',
      letters,
      `${letters}:x`,
      letters.repeat(200),
      'k'.repeat(1024),
      "it's",
      '\\x00',
      '\x01',
    ]
    for (const tenant of ['default', letters])
      for (const namespace of ['n', letters])
        for (const key of names) {
          const { rows } = await client.query(
            `select s.near_digest($1, $2, $3) as k, s.near_digest($1, $2) as n, s.near_digest($1::text) as t,
              s.near_session_digest($1, $2, $3) as s, s.near_session_digest($1, $2) as sn`,
            [tenant, namespace, key],
          )
          const address = addressOf(tenant, namespace)
          const sessions = addressOf(tenant, namespace, 'session')
          expect(digestOf(`${address.id}\0${key}`)).toBe(loggedDigest(rows[0].k))
          expect([tenant, namespace, key, rows[0]]).toEqual([
            tenant,
            namespace,
            key,
            {
              k: keyDigest(address, key),
              n: namespaceDigest(address),
              t: tenantDigest(tenant),
              s: keyDigest(sessions, key),
              sn: namespaceDigest(sessions),
            },
          ])
        }
    await client.end()
  })
})
