#!/usr/bin/env node
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import { cleanupCommand } from './cleanup'
import { clearCommand } from './clear'
import { failed, tellFailure } from './console/failure'
import { demoCommand } from './demo/command'
import { doctorCommand } from './doctor'
import { importCommand } from './import/command'
import { migrateCommand } from './migrate'
import { statsCommand } from './stats/command'
import { testCommand } from './test'

const program = new Command('pgstash')
  .description('PostgreSQL in the place of Redis: looks after the schema of pgstash, and what is in it.')
  .version(ownVersion(), '-V, --version', 'the version of this package')
  .exitOverride()
  .configureOutput({ outputError: () => {} })
  .addCommand(demoCommand())
  .addCommand(migrateCommand())
  .addCommand(importCommand())
  .addCommand(statsCommand())
  .addCommand(cleanupCommand())
  .addCommand(clearCommand())
  .addCommand(testCommand())
  .addCommand(doctorCommand())

process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // Whoever reads no further (pgstash stats | head -1) has what it wanted.
  if (code === 'EPIPE') process.exit()
  process.stderr.write(`ERR_PGSTASH_OUTPUT: stdout could not be written: ${message}\n`)
  process.exit(failed)
})
// Nobody is left to be told.
process.stderr.on('error', () => {})

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = tellFailure(error, process.argv.includes('--json'))
}

function ownVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
