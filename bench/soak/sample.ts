/** What is looked at now and then; each of them is to stay flat. */
export interface Sample {
  readonly seconds: number
  readonly heapMiB: number
  readonly connections: number
  /** Of all tables, with indexes. */
  readonly tableMiB: number
  readonly callsPerSecond: number
}
