import { InvalidArgumentError, UnserialisableValueError, ValueTooLargeError } from '../../errors'
import type { ImportNotice } from './tally'

/** A key without its prefix, and what is left of its life in milliseconds; null for no expiry. */
export interface ImportedEntry {
  readonly key: string
  readonly stored: string | Uint8Array
  readonly ttl: number | null
}

/** What became of an entry: `written`, or why it was skipped. */
export interface Outcome {
  readonly outcome: 'written' | 'present' | 'expired' | Unfit
  readonly notices?: readonly (ImportNotice | undefined)[]
}

export type Unfit = 'key-unfit' | 'value-unfit' | 'value-too-large' | 'user-unfit' | 'no-session'

/** Where an import writes. One entry that will not do fails no other. */
export interface ImportTarget {
  /** Whether nothing is there that could be overwritten. */
  isEmpty(): Promise<boolean>

  has(key: string): Promise<boolean>

  /** Calls made together travel together; but each is told what became of it. */
  write(entry: ImportedEntry): Promise<Outcome>
}

/** How an import writes. */
export interface WriteMode {
  /** Keeps what is there. */
  readonly ifAbsent?: boolean | undefined
  /** Writes nothing, asks no database, and refuses what the others would. */
  readonly dryRun?: boolean | undefined
}

export async function unlessUnfit(write: () => Promise<Outcome>): Promise<Outcome> {
  try {
    return await write()
  } catch (error) {
    const outcome = unfitBy(error)
    if (outcome === undefined) throw error
    return { outcome }
  }
}

function unfitBy(error: unknown): Unfit | undefined {
  if (error instanceof ValueTooLargeError) return 'value-too-large'
  if (error instanceof UnserialisableValueError) return 'value-unfit'
  if (!(error instanceof InvalidArgumentError)) return undefined
  return unfitFields[error.field]
}

const unfitFields: Readonly<Record<string, Unfit>> = { key: 'key-unfit', id: 'key-unfit', userId: 'user-unfit' }
