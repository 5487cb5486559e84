/** What the bell says of itself: whether it hears its own test. */
export interface BellEvents {
  /** Somebody wrote: poll now. */
  onRing(): void
  /** It hears, or does so no longer: polling alone bounds the age of what is held. With the reason where it does not. */
  onHearing(isHearing: boolean, reason?: unknown): void
}

/** A bell of NOTIFY without a payload. It only makes things faster: nothing depends on its being heard. */
export interface Bell {
  /** Whether it has heard its own last test. */
  readonly isHearing: boolean
  /** Begins to listen; what goes wrong is told to `onHearing`, and tried again. */
  start(): void
  /** A write of a marked namespace has been acknowledged. Rings soon, once for many. */
  ring(): void
  stop(): Promise<void>
}
