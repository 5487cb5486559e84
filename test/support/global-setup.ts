import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { TestProject } from 'vitest/node'
import { makeServerFiles, type ServerFiles } from './servers/files'
import { TestServer } from './servers/postgres'

declare module 'vitest' {
  export interface ProvidedContext {
    /** The PostgreSQL that this run started. */
    postgresUrl: string
    /** Its version, for what not all have. */
    postgresMajor: number
    /** For what the files of a run make once. */
    sharedFolder: string
    serverFiles: ServerFiles
  }
}

/** One server for the whole run; each test file works in schemas of its own. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  const sharedFolder = await mkdtemp(join(tmpdir(), 'pgstash-tests-'))
  const serverFiles = await makeServerFiles(sharedFolder)
  const server = await TestServer.create([], serverFiles)
  await server.start()
  project.provide('postgresUrl', server.url())
  project.provide('postgresMajor', Number(await readFile(join(serverFiles.cluster, 'PG_VERSION'), 'utf8')))
  project.provide('sharedFolder', sharedFolder)
  project.provide('serverFiles', serverFiles)
  return async () => {
    await server.remove()
    await rm(sharedFolder, { recursive: true, force: true })
  }
}
