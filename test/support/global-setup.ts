import type { TestProject } from 'vitest/node'
import { TestServer } from './server'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The PostgreSQL that this run started. */
    postgresUrl: string
  }
}

/** One server for the whole run; each test file works in schemas of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const server = await TestServer.create()
  await server.start()
  project.provide('postgresUrl', server.url())
  return () => server.remove()
}
