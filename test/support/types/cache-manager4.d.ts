declare module 'cache-manager4' {
  /** What the tests use of it; version 4 has no types of its own. */
  export function caching(options: object): {
    readonly store: unknown
    get(key: string, callback?: (...result: unknown[]) => void): Promise<unknown>
    set(key: string, value: unknown, ...rest: unknown[]): Promise<unknown>
    del(key: string): Promise<unknown>
    reset(): Promise<unknown>
    wrap(key: string, compute: () => Promise<unknown>, options?: object): Promise<unknown>
  }
}
