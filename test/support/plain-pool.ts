import pg from 'pg'
import type { PgPool } from '../../src/postgres/wire/pg/driver'

/** A pool that takes configs only, as one of `pg-native` does. */
export class PlainPool implements PgPool {
  readonly #pool: pg.Pool

  constructor(connectionString: string) {
    this.#pool = new pg.Pool({ connectionString, max: 5, allowExitOnIdle: true })
  }

  query: PgPool['query'] = (config) => this.#pool.query(config as pg.QueryConfig)

  connect: PgPool['connect'] = () => this.#pool.connect() as unknown as ReturnType<PgPool['connect']>

  end(): Promise<void> {
    return this.#pool.end()
  }
}
