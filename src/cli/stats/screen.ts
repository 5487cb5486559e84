import type { StashStats, TenantStats } from '../../stash/upkeep/stats'
import { ago, bytes, counted, number, percent } from '../console/quantity'
import { columns, paint, printable } from '../console/terminal'

type Namespaces = TenantStats['namespaces']

/** More would push the rest off the screen; --json has all. */
const shownNamespaces = 10

/** All that a stash holds. */
export function stashScreen(schema: string, stats: StashStats): string {
  const { isEstimate, sampledShare } = stats
  const how = isEstimate
    ? paint('yellow', `an estimate: ${percent(sampledShare)} of the blocks were read`)
    : 'counted whole'
  return [
    `${paint('bold', `schema ${schema}`)}  ${how}`,
    overview(stats),
    ...(stats.sizeClasses.length > 0 ? [sizes(stats)] : []),
    ...spaces(stats.namespaces),
  ].join('\n\n')
}

/** What a tenant holds, or a namespace. */
export function heldScreen(title: string, held: TenantStats, how: string): string {
  const { live, expired, cleared } = held
  const rows = [
    ['', 'live', 'expired', 'cleared', 'bytes'],
    ['entries', ...[live, expired, cleared].map(number), bytes(held.bytes)],
  ]
  return [`${paint('bold', printable(title))}  ${how}`, columns(rows), ...spaces(held.namespaces)].join('\n\n')
}

function overview(stats: StashStats): string {
  const {
    live,
    expired,
    cleared,
    sessions,
    rateLimits,
    locks,
    tableBytes,
    indexBytes,
    isUnlogged,
    nearLog,
    lastSweep,
  } = stats
  const rows = [
    ['', 'live', 'expired', 'cleared', 'values', 'on disk'],
    ['entries', ...[live, expired, cleared].map(number), bytes(stats.bytes), bytes(tableBytes + indexBytes)],
    ['sessions', number(sessions.live), number(sessions.expired), '', '', bytes(sessions.bytes)],
    ['rate limits', number(rateLimits.live), number(rateLimits.expired), '', '', bytes(rateLimits.bytes)],
    ['locks', number(locks.held), '', '', '', bytes(locks.bytes)],
  ]
  const sweep = lastSweep
    ? `${ago(lastSweep.finishedAt)}, removed ${counted(lastSweep.removed, 'row', 'rows')}`
    : 'none yet'
  return [
    columns(rows),
    '',
    `entries on disk: ${bytes(tableBytes)} table, ${bytes(indexBytes)} index, ${isUnlogged ? 'unlogged' : 'logged'}`,
    ...(nearLog.namespaces > 0 || nearLog.rows > 0 ? [told(nearLog)] : []),
    `last sweep: ${sweep}`,
  ].join('\n')
}

function told({ namespaces, rows, bytes: onDisk, reachesMsBack }: StashStats['nearLog']): string {
  const back = reachesMsBack === undefined ? 'nobody has read it yet' : `from ${ago(Date.now() - reachesMsBack)} on`
  return `held near: ${counted(namespaces, 'namespace', 'namespaces')}; log of ${counted(rows, 'row', 'rows')}, ${bytes(onDisk)}, ${back}`
}

function sizes({ sizeClasses }: StashStats): string {
  const rows = sizeClasses.map(({ upToBytes, live, bytes: held }) => [
    `up to ${number(upToBytes)} bytes`,
    number(live),
    bytes(held),
  ])
  return columns([['values', 'live', 'bytes'], ...rows])
}

function spaces(namespaces: Namespaces): string[] {
  if (namespaces.length === 0) return []
  const shown = [...namespaces].sort((a, b) => b.live - a.live).slice(0, shownNamespaces)
  const rows = shown.map(({ tenant, namespace, live, expired, cleared, bytes: held }) => [
    printable(tenant),
    printable(namespace),
    ...[live, expired, cleared].map(number),
    bytes(held),
  ])
  const table = columns([['tenant', 'namespace', 'live', 'expired', 'cleared', 'bytes'], ...rows], 2)
  const more = namespaces.length - shown.length
  return [more > 0 ? `${table}\n… and ${number(more)} more, with --json` : table]
}
