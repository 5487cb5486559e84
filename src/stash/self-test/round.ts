/** A step answers undefined, or what is wrong. */
export interface Round {
  readonly step: string
  readonly run: () => Promise<string | undefined>
  /** Why it cannot be run here. */
  readonly leftOut?: string | undefined
}

/** undefined where both are the same as JSON. */
export function unless(actual: unknown, expected: unknown): string | undefined {
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)]
  return got === wanted ? undefined : `expected ${wanted}, got ${got}`
}
