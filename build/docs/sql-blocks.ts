import type { PGlite } from '@electric-sql/pglite'
import type { Fence } from './page'

/** What pages use of extensions and roles that PGlite has not. */
const stage = `
create role app; create role owner_of_pgstash;
create schema cron;
create function cron.schedule(name text, schedule text, command text) returns bigint language sql as 'select 1::bigint';
`

/**
 * Names each block of SQL that PostgreSQL does not take: it is run on a PGlite whose schema is made, and undone. One that is `given: parsed` (it makes a database,
 * say, which no transaction may) is only read by the parser.
 */
export async function sqlFaults(pglite: PGlite, fences: readonly Fence[]): Promise<string[]> {
  await pglite.exec(stage)
  const faults: string[] = []
  for (const fence of fences.filter(({ language }) => language === 'sql')) {
    const fault = fence.given.includes('parsed') ? await parserSays(pglite, fence) : await serverSays(pglite, fence)
    if (fault !== undefined) faults.push(`${fence.path}:${fence.line}: ${fault}`)
  }
  return faults
}

/** The whole text is parsed before its first statement is run, and that one fails. */
async function parserSays(pglite: PGlite, { code }: Fence): Promise<string | undefined> {
  const divisionByZero = '22012'
  try {
    await pglite.exec(`select 1 / 0;\n${code}`)
    return undefined
  } catch (error) {
    const { code: sqlState, message } = error as Error & { code?: string }
    return sqlState === divisionByZero ? undefined : message
  }
}

async function serverSays(pglite: PGlite, { code }: Fence): Promise<string | undefined> {
  await pglite.exec('begin')
  try {
    await pglite.exec(code)
    return undefined
  } catch (error) {
    return (error as Error).message
  } finally {
    await pglite.exec('rollback')
  }
}
