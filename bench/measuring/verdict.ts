/** Whether one target was reached, judged by the run itself. */
export interface Verdict {
  readonly what: string
  readonly reached: number
  readonly bound: number
  /** Whether the bound is the least or the most. null: no target, the figure is only told. */
  readonly is: 'at least' | 'at most' | null
}

export function sentenceOf({ what, reached, bound, is }: Verdict): string {
  const figure = `${what}: ${reached.toFixed(2)}`
  return is === null
    ? figure
    : `${figure} (${is} ${Number(bound.toFixed(2))}): ${isMet({ reached, bound, is }) ? 'met' : 'NOT met'}`
}

function isMet({ reached, bound, is }: Pick<Verdict, 'reached' | 'bound' | 'is'>): boolean {
  return is === null || (is === 'at least' ? reached >= bound : reached <= bound)
}
