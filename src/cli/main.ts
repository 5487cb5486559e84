#!/usr/bin/env node
import { Command } from 'commander'
import { PgStashError } from '../errors'
import { migrateCommand } from './migrate'

const program = new Command('pgstash')
  .description('PostgreSQL in the place of Redis: looks after the schema of pgstash.')
  .addCommand(migrateCommand())

try {
  await program.parseAsync()
} catch (error) {
  process.stderr.write(`${error instanceof PgStashError ? `${error.code}: ${error.message}` : String(error)}\n`)
  process.exitCode = 1
}
