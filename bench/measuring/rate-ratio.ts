import type { Figure } from './measure'
import type { Verdict } from './verdict'

/** An operation as it was measured, under the name it is told by. */
export interface Measured extends Figure {
  readonly name: string
}

/** How many times as fast the one was as the other. @param atLeast null: no target, the figure is only told */
export function rateRatio(work: string, own: Measured, other: Measured, atLeast: number | null): Verdict {
  const what = `${work}, ${told(own)} over ${told(other)}`
  return { what, reached: own.rate / other.rate, bound: atLeast ?? 0, is: atLeast === null ? null : 'at least' }
}

function told({ name, rate }: Measured): string {
  return `${name} (${Math.round(rate).toLocaleString('en')}/s)`
}
