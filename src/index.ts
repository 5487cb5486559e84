/**
 * The stash: entries, sessions, rate limits, and all errors.
 *
 * @module
 */

export * from './errors'
export type { Check, CheckStatus, Diagnosis, DoctorOptions } from './stash/doctor/diagnosis'
export type {
  CallOptions,
  CompareAndSetResult,
  Entry,
  ListOptions,
  Load,
  LoadContext,
  LoadMany,
  LoadOptions,
  NewEntry,
  ReadOptions,
  SetOptions,
  TaggedWriteOptions,
  TagOptions,
  TagScope,
  Ttl,
  WrapOptions,
  WriteOptions,
  WriteResult,
} from './stash/entries/cache'
export { Cache } from './stash/entries/cache'
export type { AddressKeyOptions } from './stash/limits/address-key'
export { addressKey } from './stash/limits/address-key'
export type { LoginAttempt, LoginCaller, LoginKey, LoginLimiterOptions } from './stash/limits/login-limiter'
export { LoginLimiter } from './stash/limits/login-limiter'
export type {
  Algorithm,
  BlockOptions,
  ConsumeOptions,
  DenyCacheOptions,
  LimiterOptions,
  LimitOptions,
  RateLimiterOptions,
  RateLimitOnError,
} from './stash/limits/rate-limiter'
export { RateLimiter } from './stash/limits/rate-limiter'
export type { LimitStanding, RateLimitResult } from './stash/limits/result'
export { rateLimitHeaders } from './stash/limits/result'
export type { LoadEnd, LoadMessage } from './stash/loading/events'
export type { Lock } from './stash/locks/lock'
export type { LockOptions, TryLockOptions } from './stash/locks/options'
export type { NearMessage } from './stash/near/feed'
export type { HeldNear } from './stash/near-door'
export type {
  Isolation,
  MaintenanceConnection,
  NearOptions,
  NearSettings,
  NearStoreOptions,
  OnError,
  PgStashOptions,
} from './stash/options/told'
export type { TenantSource } from './stash/pg-stash'
export { PgStash } from './stash/pg-stash'
export type { DestroyByUserOptions, ListedSession, SessionData, SessionsOptions } from './stash/sessions/store'
export { Sessions } from './stash/sessions/store'
export type { NamespaceOptions } from './stash/tenant'
export { Tenant } from './stash/tenant'
export type { OperationMetrics, PoolUse, StashMetrics } from './stash/upkeep/metrics'
export type { NearStats } from './stash/upkeep/near-stats'
export type { Quota, QuotaSource } from './stash/upkeep/quota'
export type { SizeClass, StashStats, StatsOptions, TenantStats } from './stash/upkeep/stats'
export type { SweepMessage } from './stash/upkeep/sweep-clock'
export type { SweepOptions, SweepProgress, Swept } from './stash/upkeep/sweeper'
