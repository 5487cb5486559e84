import pg from 'pg'

/** One or more statements, on a connection of their own. */
export async function runSql(databaseUrl: string, text: string): Promise<pg.QueryResult> {
  const client = new pg.Client(databaseUrl)
  await client.connect()
  try {
    return await client.query(text)
  } finally {
    await client.end()
  }
}
