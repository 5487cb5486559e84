/** What is put in order: one read or one write of one key, or of several at once. */
export interface Ordered {
  readonly isRead: boolean
  readonly hasLeft: boolean
}

/** Of one key: it may have to wait. */
export interface OrderedKey extends Ordered {
  readonly key: string
  /** Its turn has come. */
  dispatch(): void
}
