/**
 * Who may import whom, room by room: ARCHITECTURE.md draws the same. A room is a folder, or a file beside them (`src/errors`). `a/*` stands for every room within a. A room
 * may always use its own files.
 */
export const arrows: readonly (readonly [room: string, rooms: string])[] = [
  ['src/index', 'src/stash src/stash/* src/errors'],
  ['src/cli', 'src/cli/* src/stash src/stash/* src/errors'],
  ['src/cli/*', 'src/cli/console src/cli/import/redis src/stash src/stash/* src/errors'],
  ['src/adapters', 'src/stash src/stash/* src/entry src/entry/* src/errors src/own-clock'],
  ['src/adapters/*', 'src/stash src/stash/* src/entry src/entry/* src/errors src/own-clock'],
  ['src/stash/self-test', 'src/stash src/stash/entries src/stash/sessions src/stash/limits src/postgres/* @'],
  ['src/stash/import', 'src/stash src/stash/entries src/stash/sessions src/postgres/* @'],
  ['src/stash/sessions', 'src/stash src/stash/options src/postgres/* @'],
  ['src/stash/limits', 'src/stash src/stash/options src/postgres/* @'],
  [
    'src/stash',
    'src/stash/options src/stash/entries src/stash/near src/stash/loading src/stash/locks src/stash/upkeep src/stash/doctor src/postgres src/postgres/* @',
  ],
  ['src/stash/locks', 'src/stash/options src/postgres src/postgres/locks @'],
  ['src/stash/loading', 'src/stash/options src/stash/entries src/stash/locks src/postgres/loading @'],
  ['src/stash/entries', 'src/stash/options src/postgres src/postgres/entries @'],
  ['src/stash/near', 'src/stash/options src/stash/entries src/stash/upkeep src/postgres/near src/postgres/entries @'],
  ['src/stash/doctor', 'src/stash/options src/postgres/doctor src/postgres/schema src/postgres/wire @'],
  ['src/stash/options', 'src/stash/upkeep src/postgres/schema src/postgres/wire src/postgres/wire/pg @'],
  ['src/stash/upkeep', 'src/postgres src/postgres/upkeep src/postgres/entries src/postgres/wire @'],
  [
    'src/postgres',
    'src/postgres/near src/postgres/entries src/postgres/sessions src/postgres/limits src/postgres/schema src/postgres/wire @',
  ],
  ['src/postgres/entries', 'src/postgres/near src/postgres/tags src/postgres/wire sql @'],
  ['src/postgres/loading', 'src/postgres/near src/postgres/tags src/postgres/wire sql @'],
  ['src/postgres/sessions', 'src/postgres/near src/postgres/wire sql @'],
  ['src/postgres/upkeep', 'src/postgres/entries src/postgres/wire sql @'],
  ['src/postgres/doctor', 'src/postgres/schema src/postgres/wire src/postgres/wire/pg sql @'],
  ['src/postgres/import', 'src/postgres/schema src/postgres/wire src/postgres/wire/pg sql @'],
  ['src/postgres/*', 'src/postgres/wire sql @'],
  ['src/postgres/wire', 'sql @'],
  ['src/coalescing', 'src/coalescing/order src/entry src/errors src/own-clock'],
  ['src/entry/*', 'src/entry src/errors'],
  ['src/entry', 'src/errors src/own-clock'],
  ['src/errors', 'src/migrate-step'],
  ['bench', 'bench/report bench/workloads bench/workloads/near bench/measuring'],
  ['bench/report', 'bench/workloads bench/measuring'],
  ['bench/workloads/near', 'bench/workloads bench/contestants bench/measuring'],
  ['bench/workloads', 'bench/contestants bench/app/stores bench/stampede bench/measuring'],
  ['bench/contestants', 'bench/app bench/app/stores bench/stampede bench/measuring'],
  ['bench/app', 'bench/app/stores bench/measuring'],
  ['bench/app/stores', 'bench/measuring'],
  ['bench/soak', 'bench/measuring'],
  ['test/support/*', 'test/support src/* src/errors'],
  ['test/support', 'test/support/* src/* src/errors'],
]

/** What `@` stands for: whatever every room of the two middle floors may use. */
export const foundations = 'src/coalescing src/entry src/entry/* src/errors src/migrate-step src/own-clock'

/** What a room may use from outside the project; rooms within it too. */
export const packages: Record<string, readonly string[]> = {
  'src/cli': ['commander', '@redis/client', '@electric-sql/pglite', 'node:readline/promises', 'node:fs'],
  'src/postgres': ['pg', 'cockatiel', 'node:crypto'],
  'src/stash/near': ['lru-cache', 'node:crypto', 'node:diagnostics_channel'],
  'src/stash/loading': ['node:async_hooks', 'node:diagnostics_channel'],
  'src/coalescing': ['node:diagnostics_channel'],
  'src/stash': ['node:diagnostics_channel', 'node:crypto'],
  'src/entry': ['node:crypto', 'node:net', 'node:util/types'],
  'src/own-clock': ['node:perf_hooks', 'node:timers'],
  // The one host whose class has to be extended; EventEmitter is what the other's store extends.
  'src/adapters': ['express-session', 'node:events'],
}
