/** What a bell tells whoever holds it. */
export interface BellEvents {
  /** Somebody wrote: poll now. */
  onRing(): void
  /** It hears, or does so no longer: then polling alone bounds the age of what is held. With the reason where it does not. Told when it changes, and of the first try. */
  onHearing(isHearing: boolean, reason?: unknown): void
}

/** A bell of NOTIFY without a payload. It only makes things faster: nothing depends on its being heard. */
export interface Bell {
  /** Whether it has heard its own last test. */
  readonly isHearing: boolean
  /** Begins to listen; what goes wrong is told to `onHearing`, and tried again. */
  start(): void
  /** A write of a marked namespace has been acknowledged. Rings at once, or soon, once for many. */
  ring(): void
  /** Listens and rings no longer; may be started again. */
  stop(): Promise<void>
}
