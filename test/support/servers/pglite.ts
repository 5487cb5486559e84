import { existsSync } from 'node:fs'
import { readFile, rename, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { PGlite } from '@electric-sql/pglite'
import { inject } from 'vitest'

/**
 * A new PGlite. Its initdb takes 3 seconds of a core, a copy of its files half of one: the first that a run opens leaves them to the others.
 * Two may be the first at once; the file is whole whenever it is there.
 */
export async function openPGlite(): Promise<PGlite> {
  const copy = join(inject('sharedFolder'), 'pglite.tar')
  if (existsSync(copy)) return PGlite.create({ loadDataDir: new Blob([new Uint8Array(await readFile(copy))]) })
  const first = await PGlite.create()
  const dump = await first.dumpDataDir('none')
  await writeFile(`${copy}.${process.pid}`, Buffer.from(await dump.arrayBuffer()))
  await rename(`${copy}.${process.pid}`, copy)
  return first
}
