import type { TableFacts } from '../postgres/health'
import { type Finding, grouped, minutesAgo, noTables, ok, percent, warn } from './doctor-finding'

/** Autovacuum comes at a fifth of the rows; beyond this it does not keep up. */
const largestDeadShare = 0.4

/** Fewer are no trouble, whatever their share. */
const noticedRows = 10_000

/** With a fill factor of 80 and no index on what changes, far more are HOT. */
const leastHotShare = 0.5

export function deadRows(tables: readonly TableFacts[], now: number): Finding {
  if (tables.length === 0) return noTables
  const bloated = tables.filter((table) => table.deadRows > noticedRows && deadShare(table) > largestDeadShare)
  const [worst] = [...tables].sort((a, b) => b.deadRows - a.deadRows) as [TableFacts]
  if (bloated.length === 0)
    return ok(`at most ${grouped(worst.deadRows)} in a table (${worst.name}, ${vacuumed(worst, now)})`)
  const told = bloated.map(
    (table) =>
      `${table.name}: ${grouped(table.deadRows)}, ${percent(deadShare(table))} of its rows, ${vacuumed(table, now)}`,
  )
  return warn(
    told.join('; '),
    'vacuum the table, and look for what holds autovacuum back: old transactions (pg_stat_activity.xact_start), replication slots.',
  )
}

export function hotUpdates(tables: readonly TableFacts[]): Finding {
  if (tables.length === 0) return noTables
  const updated = tables.filter(({ updates }) => updates > noticedRows)
  if (updated.length === 0) return ok('too few updates yet to tell')
  const told = updated
    .map((table) => `${table.name} ${percent(hotShare(table))} of ${grouped(table.updates)}`)
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
