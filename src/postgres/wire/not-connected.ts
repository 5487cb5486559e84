/**
 * No connection was had, whatever the reason: no statement has left. Drivers reject with it at the place where that is known, so that nobody has to tell it
 * from the names of errors, which are those of sockets, TLS, servers, poolers, pools, and the application's own hooks. `cause` is what was said.
 */
export class NotConnected extends Error {
  /** It took a while to fail; a second attempt would take as long. */
  readonly wasSlow: boolean

  constructor(cause: unknown, { wasSlow = false } = {}) {
    super('no connection', { cause })
    this.wasSlow = wasSlow
  }
}

/** @throws {NotConnected} where `connecting` fails */
export async function connected<T>(connecting: () => Promise<T>): Promise<T> {
  try {
    return await connecting()
  } catch (error) {
    throw new NotConnected(error)
  }
}
