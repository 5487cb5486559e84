import pg from 'pg'
import { sleep } from '../sleep'

/** Resolves once a server answers at this address; rejects with its last word after ten seconds. */
export async function accepting(connectionString: string): Promise<void> {
  for (let attempt = 0; ; attempt += 1) {
    const client = new pg.Client(connectionString)
    // Without a listener a connection lost later would end the process.
    client.on('error', () => {})
    try {
      await client.connect()
      await client.end()
      return
    } catch (error) {
      if (attempt === 200) throw error
      await sleep(50)
    }
  }
}
