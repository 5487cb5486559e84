import pg from 'pg'

/** A pool that counts the statements which are sent through it. */
export class CountingPool extends pg.Pool {
  statements = 0

  constructor(connectionString: string) {
    const count = () => {
      this.statements += 1
    }
    class CountingClient extends pg.Client {
      // biome-ignore lint/suspicious/noExplicitAny: whatever `pg` takes
      override query(...given: any[]): any {
        count()
        return super.query(...(given as [string]))
      }
    }
    super({ connectionString, max: 5, Client: CountingClient, allowExitOnIdle: true } as pg.PoolConfig)
  }
}
