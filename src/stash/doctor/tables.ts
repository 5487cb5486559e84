import type { TableFacts } from '../../postgres/doctor/health'
import { type Finding, minutesAgo, noTables, ok, unknown, warn } from './finding'
import { number, percent } from './quantity'

/** Autovacuum comes at a fifth of the rows; beyond this it does not keep up. */
const largestDeadShare = 0.4

/** Fewer are no trouble, whatever their share. */
const noticedRows = 10_000

/** With a fill factor of 80 and no index on what changes, far more are HOT. */
const leastHotShare = 0.5

/** Where nothing is counted. */
const uncounted = unknown('not counted: track_counts is off')
const countedElsewhere = unknown('a replica counts nothing of this: ask the primary')

/** For the whole server. */
interface Upkeep {
  readonly tracksCounts: boolean
  readonly hasAutovacuum: boolean
  readonly isReplica: boolean
}

export function deadRows(tables: readonly TableFacts[], now: number, upkeep: Upkeep): Finding {
  if (tables.length === 0) return noTables
  if (upkeep.isReplica) return countedElsewhere
  if (!upkeep.tracksCounts) return uncounted
  const bloated = tables.filter((table) => table.deadRows > noticedRows && deadShare(table) > largestDeadShare)
  const [worst] = [...tables].sort((a, b) => b.deadRows - a.deadRows) as [TableFacts]
  if (bloated.length === 0)
    return ok(`at most ${number(worst.deadRows)} in a table (${worst.name}, ${vacuumed(worst, now)})`)
  const told = bloated.map(
    (table) =>
      `${table.name}: ${number(table.deadRows)}, ${percent(deadShare(table))} of its rows, ${vacuumed(table, now)}`,
  )
  return warn(told.join('; '), `vacuum the table, and ${cureOf(bloated, upkeep.hasAutovacuum)}`)
}

function cureOf(bloated: readonly TableFacts[], isVacuumed: boolean): string {
  if (!isVacuumed) return 'set autovacuum = on in postgresql.conf: it is off, and nothing else removes dead rows.'
  const off = bloated.filter(({ hasAutovacuum }) => !hasAutovacuum).map(({ name }) => name)
  if (off.length > 0) return `reset the storage parameter autovacuum_enabled: it is off for ${off.join(', ')}.`
  return 'look for what holds autovacuum back: old transactions (pg_stat_activity.xact_start), replication slots.'
}

export function hotUpdates(tables: readonly TableFacts[], { tracksCounts, isReplica }: Upkeep): Finding {
  if (tables.length === 0) return noTables
  if (isReplica) return countedElsewhere
  if (!tracksCounts) return uncounted
  // A deletion by tag changes what is looked tags up by: none of those is HOT.
  const updated = tables.filter(({ name, updates }) => name !== 'tag' && updates > noticedRows)
  if (updated.length === 0) return ok('too few updates yet to tell')
  const told = updated
    .map((table) => `${table.name} ${percent(hotShare(table))} of ${number(table.updates)}`)
    .join(', ')
  if (updated.every((table) => hotShare(table) >= leastHotShare)) return ok(told)
  return warn(
    `${told}: the others touch every index`,
    'Drop indexes of your own on columns that writes change, and see to it that vacuum keeps up.',
  )
}

function deadShare({ liveRows, deadRows }: TableFacts): number {
  return deadRows / Math.max(1, liveRows + deadRows)
}

function hotShare({ updates, hotUpdates }: TableFacts): number {
  return hotUpdates / Math.max(1, updates)
}

function vacuumed({ vacuumedAt }: TableFacts, now: number): string {
  if (vacuumedAt === null) return 'never vacuumed'
  return `vacuumed ${minutesAgo(vacuumedAt, now)}`
}
