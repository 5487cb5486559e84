import type { CounterState } from '../entry/limit'
import type { Row } from './driver'

/** The state whose columns begin at `from`; undefined where they are null: nobody saw the counter. */
export function stateAt(row: Row, from: number): CounterState | undefined {
  const [hits, previous, resetLeft, tatLeft, blockLeft, strikes] = row.slice(from) as (number | string | null)[]
  if (hits === null) return undefined
  return {
    hits: hits as number,
    previous: previous as number,
    resetLeft: resetLeft as number,
    // double precision arrives as text.
    tatLeft: tatLeft === null || tatLeft === undefined ? null : Number(tatLeft),
    blockLeft: (blockLeft as number | null) ?? null,
    strikes: (strikes as number | null) ?? 0,
  }
}
