// What the checks of docstrings have to find. Nobody imports it.

export class PgStashError extends Error {
  readonly code: string

  /** Said. */
  constructor(code: string, message: string) {
    super(message)
    this.code = `ERR_PGSTASH_${code}`
  }
}

/** Has a cause. */
export class LonelyError extends PgStashError {
  constructor(readonly field: string) {
    super('LONELY', `${field} is alone. Nobody says what to do.`)
  }
}

/** Said. */
export interface PgStashOptions {
  /** Said, and no more. */
  readonly first?: string | undefined
  readonly second: number
  /** Said. Default: none. */
  readonly third?: { readonly inner?: boolean | undefined } | undefined
}

export function bare(): void {}

/** Said. */
export class Holder {
  /** Said. */
  readonly said = 1
  readonly #hidden = 2
  private readonly kept = 3

  open(): number {
    return this.#hidden + this.kept
  }
}
