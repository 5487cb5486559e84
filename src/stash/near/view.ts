import { wakingNow } from '../../own-clock'
import type { AgedValue, EntryRecord } from '../../postgres/entries/table'
import type { Coherence, FoundRow } from './coherence'
import type { Held } from './memory'
import { readKept } from './value'

/** What a verb answers of an entry, wherever that was found. */
export interface View<T> {
  /** Whether what is held has all that is asked. */
  isEnough(held: Held): boolean
  ofHeld(held: Held): T
  /** Whether `ofRow` wants the value. */
  readonly takesValue: boolean
  ofRow(row: FoundRow, value: unknown): T
  readonly ofNone: T
}

const always = () => true

export const presence: View<boolean> = {
  isEnough: always,
  ofHeld: ({ version }) => version > 0,
  takesValue: false,
  ofRow: always,
  ofNone: false,
}

export const timeLeft: View<number | null | undefined> = {
  isEnough: always,
  ofHeld: ({ version, expiry }) => {
    if (version === 0) return undefined
    return expiry === Number.POSITIVE_INFINITY ? null : Math.max(1, Math.ceil(expiry - wakingNow()))
  },
  takesValue: false,
  ofRow: ({ leftMs }) => leftMs,
  ofNone: undefined,
}

export function valueView(coherence: Coherence, isFrozen: boolean): View<unknown> {
  return {
    isEnough: always,
    ofHeld: (held) => readKept(coherence.read(held, isFrozen), isFrozen),
    takesValue: true,
    ofRow: (_row, value) => value,
    ofNone: undefined,
  }
}

export function recordView(values: View<unknown>): View<EntryRecord | undefined> {
  const recordOf = ({ version, expiresAt }: Pick<FoundRow, 'version' | 'expiresAt'>, value: unknown): EntryRecord => ({
    value,
    version,
    expiresAt: expiresAt as number | null,
  })
  return {
    // What was written through may expire at a moment that only the database knows.
    isEnough: ({ version, expiresAt }) => version === 0 || expiresAt !== undefined,
    ofHeld: (held) => (held.version === 0 ? undefined : recordOf(held, values.ofHeld(held))),
    takesValue: true,
    ofRow: recordOf,
    ofNone: undefined,
  }
}

export function agedView(values: View<unknown>): View<AgedValue | undefined> {
  return {
    isEnough: always,
    ofHeld: (held) =>
      held.version === 0 ? undefined : { value: values.ofHeld(held), leftMs: timeLeft.ofHeld(held) as number | null },
    takesValue: true,
    ofRow: ({ leftMs }, value) => ({ value, leftMs }),
    ofNone: undefined,
  }
}
