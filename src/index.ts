export * from './errors'
export type {
  CallOptions,
  CompareAndSetResult,
  Entry,
  ListOptions,
  NewEntry,
  SetOptions,
  Ttl,
  WriteOptions,
  WriteResult,
} from './stash/cache'
export { Cache } from './stash/cache'
export type { Isolation, MaintenanceConnection, OnError, PgStashOptions } from './stash/options'
export type { TenantSource } from './stash/pg-stash'
export { PgStash } from './stash/pg-stash'
export type { Quota, QuotaSource } from './stash/quota'
export type { StashStats, TenantStats } from './stash/stats'
export type { Swept } from './stash/sweeper'
export type { NamespaceOptions } from './stash/tenant'
export { Tenant } from './stash/tenant'
