import { Command } from 'commander'
import type { Isolation, PgStashOptions } from '../stash/options'
import { PgStash } from '../stash/pg-stash'
import { printSchema } from '../stash/schema-script'

interface MigrateFlags {
  readonly url?: string
  readonly schema?: string
  readonly unlogged?: boolean
  readonly isolation?: Isolation
  readonly appRole?: string
  readonly print?: boolean
  readonly from?: string
}

/** `pgstash migrate`: creates or upgrades the schema, or prints the SQL for whoever does that. */
export function migrateCommand(): Command {
  return new Command('migrate')
    .description('create or upgrade the schema')
    .option('--url <url>', 'postgres://… (default: DATABASE_URL, then the PG* variables)')
    .option('--schema <name>', 'the schema (default: pgstash)')
    .option('--unlogged', 'make a new entry table unlogged: cheaper writes, empty after a crash')
    .option('--isolation <how>', 'column (default), or rls: row-level security, forced')
    .option('--app-role <role>', 'grant this role what the application needs')
    .option('--print', 'print the SQL instead of running it')
    .option('--from <number>', 'with --print: the migration the database is at (default: 0, an empty one)')
    .action(migrate)
}

async function migrate({ url, print, appRole, from = '0', ...options }: MigrateFlags): Promise<void> {
  if (print) process.stdout.write(printSchema({ ...options, appRole, from: Number(from) }))
  else await apply({ ...options, connectionString: url }, appRole)
}

async function apply(options: PgStashOptions, appRole: string | undefined): Promise<void> {
  // The role that runs this is the owner.
  const stash = new PgStash({ ...options, maintenance: options.connectionString ?? {} })
  try {
    const applied = await stash.migrate()
    if (appRole !== undefined) await stash.grantTo(appRole)
    process.stdout.write(applied.length === 0 ? 'The schema is current.\n' : `Applied ${applied.join(', ')}.\n`)
    if (options.isolation === 'rls') process.stdout.write('Row-level security is forced.\n')
    if (appRole !== undefined) process.stdout.write(`Granted what it needs to ${appRole}.\n`)
  } finally {
    await stash.close()
  }
}
