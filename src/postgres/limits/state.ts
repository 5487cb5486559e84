import type { CounterState } from '../../entry/limits/limit'
import type { Row } from '../wire/driver'

/** The state whose columns begin at `from`; undefined where they are null: nobody saw the counter. */
export function stateAt(row: Row, from: number): CounterState | undefined {
  const [hits, tatLeft] = [row[from], row[from + 3]]
  if (hits === null) return undefined
  return {
    hits: hits as number,
    previous: row[from + 1] as number,
    resetLeft: row[from + 2] as number,
    // double precision arrives as text.
    tatLeft: tatLeft === null ? null : Number(tatLeft),
    blockLeft: (row[from + 4] as number | null | undefined) ?? null,
    strikes: (row[from + 5] as number | null | undefined) ?? 0,
  }
}
