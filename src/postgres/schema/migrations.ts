import tables from '../../../sql/migrations/0001_tables.sql'
import functions from '../../../sql/migrations/0002_functions.sql'
import liveEntry from '../../../sql/migrations/0003_live_entry.sql'
import loneStatements from '../../../sql/migrations/0004_lone_statements.sql'
import rowLevelSecurity from '../../../sql/migrations/0005_row_level_security.sql'
import quotas from '../../../sql/migrations/0006_quotas.sql'
import sessionsAndCounters from '../../../sql/migrations/0007_sessions_and_counters.sql'
import sweep from '../../../sql/migrations/0008_sweep.sql'
import pinnedNames from '../../../sql/migrations/0009_pinned_names.sql'
import keptSessions from '../../../sql/migrations/0010_kept_sessions.sql'
import anyEncoding from '../../../sql/migrations/0011_any_encoding.sql'
import roles from '../../../sql/migrations/0012_roles.sql'
import exactGcra from '../../../sql/migrations/0013_exact_gcra.sql'
import userSessionsByKey from '../../../sql/migrations/0014_user_sessions_by_key.sql'
import invalidationLog from '../../../sql/migrations/0015_invalidation_log.sql'
import locks from '../../../sql/migrations/0016_locks.sql'
import tags from '../../../sql/migrations/0017_tags.sql'
import loads from '../../../sql/migrations/0018_loads.sql'
import type { SqlFile } from '../../../sql/sql-file'

export { latestMigration } from './latest'

/** All of them, in order. A file that was released never changes: what comes next goes into the next one. */
export const migrations: readonly Migration[] = [
  tables,
  functions,
  liveEntry,
  loneStatements,
  rowLevelSecurity,
  quotas,
  sessionsAndCounters,
  sweep,
  pinnedNames,
  keptSessions,
  anyEncoding,
  roles,
  exactGcra,
  userSessionsByKey,
  invalidationLog,
  locks,
  tags,
  loads,
].map(numbered)

export interface Migration {
  readonly id: number
  readonly name: string
  readonly text: string
}

function numbered(file: SqlFile): Migration {
  return { id: Number.parseInt(file.name, 10), name: file.name, text: file.text }
}
