import type { Address } from '../../coalescing/address'
import { DatabaseError, EncodingError, type StoredField } from '../../errors'

const untranslatable = '22P05'

/** "character with byte sequence 0xe2 0x82 0xac in encoding "UTF8" has no equivalent in encoding "LATIN1"", in whatever language. */
const bytesAndEncodings = /((?:0x[0-9a-f]{2} ?)+).*"UTF8".*"([A-Z0-9_]+)"/

/** What a row failed of, by the field that holds the character which the database's encoding lacks; any other failure as it is. */
export function byField(error: unknown, { tenant, namespace }: Address, key: string): unknown {
  if (!(error instanceof DatabaseError) || error.sqlState !== untranslatable) return error
  const [, bytes, encoding] = bytesAndEncodings.exec((error.cause as Error).message) ?? []
  if (bytes === undefined || encoding === undefined) return error
  const character = Buffer.from(bytes.replaceAll(/0x| /g, ''), 'hex').toString()
  const fields: [StoredField, string][] = [
    ['tenant', tenant],
    ['namespace', namespace],
    ['key', key],
  ]
  const [field] = fields.find(([, text]) => text.includes(character)) ?? ['value' as const]
  return new EncodingError(field, character, encoding, error.cause)
}
