import { readFileSync } from 'node:fs'
import { InvalidArgumentError } from '../../errors'
import { importedPrefix } from '../../stash/import/job'
import { KeyvTableSource } from '../../stash/import/keyv-table'
import type { ImportSource } from '../../stash/import/source'
import { assertAddress } from '../../stash/options/server-address'
import { applicationName } from '../console/stash-command'
import type { ImportFlags } from './flags'
import { isRedisAddress } from './redis/address'
import type { RedisTls } from './redis/connection'
import { RedisSource } from './redis/source'

/** Opens what `--from` names. @throws {InvalidArgumentError} it names nothing that can be read */
export async function openSource(flags: ImportFlags, timeoutMs: number): Promise<ImportSource> {
  const { from, match, batch } = flags
  const prefix = importedPrefix(flags)
  if (isRedisAddress(from))
    return RedisSource.open({ url: from, match: match ?? globOf(prefix), keysPerPage: batch, tls: tlsOf(flags) })
  if (!/^postgres(ql)?:\/\//.test(from))
    throw new InvalidArgumentError('--from', 'is no address of a source', 'Write redis://host:6379/0 or postgres://….')
  const rows = { table: tableOf(flags.table), match, prefix: prefix || undefined, rowsPerPage: batch }
  return new KeyvTableSource({ url: assertAddress('--from', from), ...rows, timeoutMs, applicationName })
}

function tableOf(table: string | undefined): { schema: string; table: string } {
  if (!table) throw new InvalidArgumentError('--table', 'is missing', 'Name the table of @keyv/postgres, mostly keyv.')
  const names = table.split('.')
  if (names.length > 2 || names.includes(''))
    throw new InvalidArgumentError('--table', 'is no name of a table', 'Write keyv, or schema.keyv.')
  const [name, owner = 'public'] = names.reverse() as [string, string?]
  return { schema: owner, table: name }
}

function tlsOf({ redisCa, redisCert, redisKey, redisServername }: ImportFlags): RedisTls {
  return {
    ca: pem('--redis-ca', redisCa),
    cert: pem('--redis-cert', redisCert),
    key: pem('--redis-key', redisKey),
    servername: redisServername,
  }
}

function pem(flag: string, path: string | undefined): string | undefined {
  if (path === undefined) return undefined
  const text = contentOf(flag, path)
  if (/^-----BEGIN /m.test(text)) return text
  throw new InvalidArgumentError(flag, 'is no PEM file', 'It begins with -----BEGIN.')
}

function contentOf(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    throw new InvalidArgumentError(flag, `cannot be read (${code})`, 'Name a file in PEM.')
  }
}

/** The keys that start with a text. */
function globOf(prefix: string): string | undefined {
  return prefix === '' ? undefined : `${prefix.replace(/[*?[\]\\]/g, '\\$&')}*`
}
