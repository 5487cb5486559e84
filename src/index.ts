export * from './errors'
export type { AddressKeyOptions } from './stash/address-key'
export { addressKey } from './stash/address-key'
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
export type { Check, CheckStatus, Diagnosis, DoctorOptions } from './stash/doctor'
export type { LoginAttempt, LoginCaller, LoginKey, LoginLimiterOptions } from './stash/login-limiter'
export { LoginLimiter } from './stash/login-limiter'
export type { OperationMetrics, PoolUse, StashMetrics } from './stash/metrics'
export type { Isolation, MaintenanceConnection, OnError, PgStashOptions } from './stash/options'
export type { TenantSource } from './stash/pg-stash'
export { PgStash } from './stash/pg-stash'
export type { Quota, QuotaSource } from './stash/quota'
export type { LimitStanding, RateLimitResult } from './stash/rate-limit-result'
export { rateLimitHeaders } from './stash/rate-limit-result'
export type {
  Algorithm,
  BlockOptions,
  ConsumeOptions,
  DenyCacheOptions,
  LimiterOptions,
  LimitOptions,
  RateLimiterOptions,
  RateLimitOnError,
} from './stash/rate-limiter'
export { RateLimiter } from './stash/rate-limiter'
export type { DestroyByUserOptions, ListedSession, SessionData, SessionsOptions } from './stash/sessions'
export { Sessions } from './stash/sessions'
export type { SizeClass, StashStats, StatsOptions, TenantStats } from './stash/stats'
export type { SweepMessage } from './stash/sweep-clock'
export type { SweepOptions, SweepProgress, Swept } from './stash/sweeper'
export type { NamespaceOptions } from './stash/tenant'
export { Tenant } from './stash/tenant'
