import { readFileSync } from 'node:fs'
import connectPgSimple from 'connect-pg-simple'
import session from 'express-session'
import pg from 'pg'
import { runSql } from '../measuring/run-sql'
import type { Settings } from '../measuring/settings'

/** What stores of express-session are asked, by callbacks as it asks. */
export interface SessionStore {
  get(id: string, callback: (error: unknown, session?: unknown) => void): unknown
  set(id: string, session: VisitedSession, callback: (error?: unknown) => void): unknown
  touch(id: string, session: VisitedSession, callback: (error?: unknown) => void): unknown
}

/** The cookie is that of express-session, without its methods. */
export interface VisitedSession {
  cookie: { originalMaxAge: number; expires: Date; httpOnly: boolean; path: string }
  visits: number
  [name: string]: unknown
}

/** Opens connect-pg-simple on the table that its table.sql makes, runs `work`, and leaves nothing behind. */
export async function withConnectStore<T>(
  { databaseUrl }: Settings,
  schema: string,
  work: (store: SessionStore) => Promise<T>,
): Promise<T> {
  const drop = `drop schema if exists ${schema} cascade`
  const table = readFileSync('node_modules/connect-pg-simple/table.sql', 'utf8')
  await runSql(databaseUrl, `${drop}; create schema ${schema}; set search_path to ${schema}; ${table}`)
  const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 })
  const ConnectStore = connectPgSimple(session)
  const store = new ConnectStore({ pool, schemaName: schema, pruneSessionInterval: false })
  try {
    return await work(store as SessionStore)
  } finally {
    await store.close()
    await pool.end()
    await runSql(databaseUrl, drop)
  }
}

export async function read(store: SessionStore, id: string): Promise<VisitedSession> {
  const found = await called((callback) => store.get(id, callback))
  if (!found) throw new Error(`No session ${id}`)
  return found as VisitedSession
}

export function write(store: SessionStore, id: string, session: VisitedSession): Promise<unknown> {
  return called((callback) => store.set(id, session, callback))
}

export function touch(store: SessionStore, id: string, session: VisitedSession): Promise<unknown> {
  return called((callback) => store.touch(id, session, callback))
}

function called(call: (callback: (error?: unknown, answer?: unknown) => void) => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    call((error, answer) => (error ? reject(error) : resolve(answer)))
  })
}
