/** Who is asked, and where its server is. */
export interface Told {
  readonly name: StoreName
  readonly databaseUrl: string
  readonly redisUrl: string
  /** Of the tables, or of the keys in Redis. */
  readonly schema: string
  readonly callers: number
  readonly keys: number
  readonly loadMs: number
  readonly leaseMs: number
}

export type StoreName = 'pgstash' | 'bentocache' | 'cacheable'

/** What a process says: that it is connected; that a loader has begun, and when by the clock that all processes of a machine share; that all its callers are answered. */
export type Said =
  | { readonly is: 'ready' }
  | { readonly is: 'loading'; readonly key: string; readonly at: number }
  | { readonly is: 'answered'; readonly wrong: number; readonly tookMs: number }
