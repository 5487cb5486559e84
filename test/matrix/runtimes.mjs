import { join } from 'node:path'
import { fetched } from './fetched.mjs'
import { passes, runAll } from './runs.mjs'
import { versions } from './versions.mjs'

// npm run test:runtimes

/** How each starts a script. Node is there to say what is right. */
async function runtimes() {
  const starts = [[`Node ${process.versions.node}`, [process.execPath]]]
  for (const version of versions.bun) starts.push([`Bun ${version}`, [join(await fetched('bun', version), '.bin/bun')]])
  for (const version of versions.deno)
    starts.push([`Deno ${version}`, [join(await fetched('deno', version), '.bin/deno'), 'run', '--allow-all']])
  return Object.fromEntries(starts)
}

await runAll('The main verbs on Bun and Deno, from the packed package, on PostgreSQL and on PGlite.', [
  {
    name: `Bun ${versions.bun.join(', ')} and Deno ${versions.deno.join(', ')}`,
    run: async () =>
      passes('runtimes', ['test/matrix/runtimes'], { env: { PGSTASH_RUNTIMES: JSON.stringify(await runtimes()) } }),
  },
])
