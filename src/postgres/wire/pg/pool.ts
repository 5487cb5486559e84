import type { StatusClient } from './transaction-status'

/** What this package uses of a `pg.Pool`; any version of `pg` 8 fits. */
export interface PgPool {
  query(config: PgQueryConfig): Promise<{ rows: unknown[] }>
  connect(): Promise<PgClient>
}

/** What this package uses of a `pg.PoolClient`. */
export interface PgClient {
  query(config: PgQueryConfig): Promise<{ rows: unknown[] } | { rows: unknown[] }[]>
  release(error?: Error | boolean): void
  on(event: 'error', listener: () => void): unknown
  removeListener(event: 'error', listener: () => void): unknown
}

/** What this package passes to `query`. */
export interface PgQueryConfig {
  name?: string
  text: string
  values?: unknown[]
  rowMode?: 'array'
  types?: { getTypeParser(oid: number, format?: string): (text: string) => unknown }
}

/** Of a pool of `pg`'s: what it says of itself. Pools that only look like one may not. */
export interface PoolFacts {
  readonly options?: { readonly max?: number; readonly pipeline?: unknown }
  readonly Client?: { readonly Query?: { readonly prototype?: { readonly prepare?: unknown } } }
  readonly totalCount?: number
  readonly idleCount?: number
  readonly waitingCount?: number
}

/** Gives a client back, or with an error up. */
export type Release = (error?: Error) => void

/** What is used of any client beside its own verbs. */
export type LeasedClient = StatusClient & {
  readonly connection?: { readonly stream?: { destroy?(): void } }
  on(event: 'end', listener: () => void): unknown
}

/** Not so: pools of `pg-native`, those that pipeline, and what only looks like a pool. They get configs, and are slower. */
export function takesSubmittables(pool: PgPool): boolean {
  const { Client, options } = pool as PoolFacts
  return typeof Client?.Query?.prototype?.prepare === 'function' && !options?.pipeline
}

/** How many clients it has at most: as `pg`'s own default, where it does not say. */
export function sizeOf(pool: PgPool): number {
  return (pool as PoolFacts).options?.max ?? 10
}
