import { InvalidArgumentError } from '../../errors'
import type { ImportOptions } from '../../stash/import/job'
import type { ImportValues } from '../../stash/import/value'
import { UsageError } from '../console/failure'
import type { StashFlags } from '../console/stash-command'
import { isRedisAddress } from './redis/address'

/** What the command line of `pgstash import` says. */
export interface ImportFlags extends StashFlags, Omit<ImportOptions, 'version' | 'values' | 'onProgress' | 'signal'> {
  readonly from: string
  readonly table?: string
  readonly match?: string
  readonly values?: ImportValues
  readonly namespaceVersion?: number
  readonly redisCa?: string
  readonly redisCert?: string
  readonly redisKey?: string
  readonly redisServername?: string
  readonly batch: number
  readonly yes?: boolean
}

/**
 * What would be ignored is refused: whoever wrote it expects something of it.
 * @throws {UsageError}
 * @throws {InvalidArgumentError}
 */
export function assertFlags(flags: ImportFlags): void {
  const isRedis = isRedisAddress(flags.from)
  if (flags.as === 'sessions') assertOfSessions(flags, isRedis)
  else refuseAll({ '--user-field': flags.userField }, 'is for sessions', 'Add --as sessions, or leave it out.')
  if (isRedis)
    refuseAll({ '--table': flags.table }, 'is for PostgreSQL', 'Leave it out, or name postgres://… in --from.')
  if (!/^rediss:/i.test(flags.from))
    refuseAll(tlsFlags(flags), 'is for TLS', 'Write rediss:// in --from, or leave it out.')
  if ((flags.redisCert === undefined) !== (flags.redisKey === undefined))
    throw new UsageError('--redis-cert and --redis-key go together. Name both files.')
}

function assertOfSessions({ values, namespaceVersion, userField }: ImportFlags, isRedis: boolean): void {
  if (!isRedis)
    throw new UsageError(
      '--as sessions reads Redis. A table of connect-pg-simple needs no import: the option table of PgSessionStore uses it where it is.',
    )
  refuseAll({ '--values': values, '--namespace-version': namespaceVersion }, 'is for entries', 'Leave it out.')
  if (userField !== undefined && !/^[^.]+(\.[^.]+)*$/.test(userField))
    throw new InvalidArgumentError(
      '--user-field',
      'names no field',
      'Write userId, or from field to field passport.user.',
    )
}

function tlsFlags({ redisCa, redisCert, redisKey, redisServername }: ImportFlags) {
  return {
    '--redis-ca': redisCa,
    '--redis-cert': redisCert,
    '--redis-key': redisKey,
    '--redis-servername': redisServername,
  }
}

function refuseAll(given: Readonly<Record<string, unknown>>, why: string, nextStep: string): void {
  for (const [name, value] of Object.entries(given)) {
    if (value !== undefined) throw new UsageError(`${name} ${why}. ${nextStep}`)
  }
}
