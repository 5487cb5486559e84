/**
 * What stored bytes become. `text`: a string, or a Buffer where they are no UTF-8. `json`: what the JSON says, and as `text` where they are
 * none. `bytes`: always a Buffer.
 */
export type ImportValues = 'text' | 'json' | 'bytes'

/** A byte order mark is part of the value. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** The text; undefined where the bytes are no UTF-8. */
export function textOf(stored: string | Uint8Array): string | undefined {
  if (typeof stored === 'string') return stored
  try {
    return utf8.decode(stored)
  } catch {
    return undefined
  }
}

/** @param onNotJson told of a value that stays text although JSON was asked for */
export function importedValue(stored: string | Uint8Array, values: ImportValues, onNotJson: () => void): unknown {
  if (values === 'bytes') return Buffer.from(stored as Uint8Array)
  const text = textOf(stored)
  if (values === 'text') return text ?? stored
  const parsed = text === undefined ? undefined : fromJson(text)
  if (parsed !== undefined) return parsed.value
  onNotJson()
  return text ?? stored
}

function fromJson(text: string): { value: unknown } | undefined {
  try {
    const value: unknown = JSON.parse(text)
    // 1e999 is JSON, and becomes a number that JSON does not have.
    return typeof value === 'number' && !Number.isFinite(value) ? undefined : { value }
  } catch {
    return undefined
  }
}
