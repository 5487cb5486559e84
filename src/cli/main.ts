#!/usr/bin/env node
import { Command } from 'commander'
import { cleanupCommand } from './cleanup'
import { clearCommand } from './clear'
import { demoCommand } from './demo'
import { doctorCommand } from './doctor'
import { tellFailure } from './failure'
import { importCommand } from './import'
import { migrateCommand } from './migrate'
import { statsCommand } from './stats'
import { testCommand } from './test'

const program = new Command('pgstash')
  .description('PostgreSQL in the place of Redis: looks after the schema of pgstash, and what is in it.')
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

// Whoever reads no further (pgstash stats | head -1) has what it wanted.
process.stdout.on('error', () => process.exit())

try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = tellFailure(error, process.argv.includes('--json'))
}
