import { Command, Option } from 'commander'
import type { Isolation, PgStashOptions } from '../../stash/options/told'
import { PgStash } from '../../stash/pg-stash'
import { address } from './flag-values'

/** The flags of every command. */
export interface StashFlags {
  readonly url?: string
  readonly schema?: string
  readonly isolation?: Isolation
  readonly json?: boolean
}

/** A host that does not answer is told soon, also where a statement may take long. */
const connectMs = 10_000

/** As whom the server's pg_stat_activity knows all commands. */
export const applicationName = 'pgstash cli'

/** Reading whole tables takes as long as it takes. */
export const longMs = 3_600_000

/** A command that throws where it would end the process: main.ts tells what went wrong, and how. */
export function plainCommand(name: string): Command {
  return new Command(name)
    .exitOverride()
    .configureOutput({ outputError: () => {} })
    .option('--json', 'print one JSON document')
}

/** The same, on a schema. */
export function stashCommand(name: string): Command {
  return plainCommand(name)
    .option('--url <url>', 'postgres://… (default: DATABASE_URL, then the PG* variables)', address)
    .option('--schema <name>', 'the schema (default: pgstash)')
}

export function isolationOption(text = 'rls where the role is held by row-level security'): Option {
  return new Option('--isolation <how>', `${text} (default: column)`).choices(['column', 'rls'])
}

/** Runs `work` on the stash that the flags name. It makes no schema: that is what `pgstash migrate` is for. */
export async function withStash<T>(
  { url, schema, isolation }: StashFlags,
  work: (stash: PgStash) => Promise<T>,
  more: PgStashOptions = {},
): Promise<T> {
  const limits = { connectionTimeoutMillis: connectMs, application_name: applicationName }
  const own = { connectionString: url, schema, isolation, migrate: false, sweeper: false } as const
  const stash = new PgStash({ ...limits, ...own, ...more })
  try {
    return await work(stash)
  } finally {
    await stash.close()
  }
}

/** Aborted by Ctrl-C, once; a second one ends the process at once, as ever. */
export function interruption(): AbortController {
  const controller = new AbortController()
  process.once('SIGINT', () => controller.abort())
  process.once('SIGTERM', () => controller.abort())
  return controller
}
