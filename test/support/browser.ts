import { once } from 'node:events'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/** What a browser was answered. */
export interface Page {
  readonly status: number
  readonly text: string
  readonly headers: Headers
}

/** Asks a server, and keeps its cookies, as a browser does. */
export class Browser {
  readonly #cookies = new Map<string, string>()

  constructor(
    readonly origin: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {}

  async get(path: string): Promise<Page> {
    const cookie = [...this.#cookies].map(([name, value]) => `${name}=${value}`).join('; ')
    const response = await fetch(this.origin + path, { headers: { ...this.headers, ...(cookie ? { cookie } : {}) } })
    for (const set of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(set) as unknown as [string, string, string]
      this.#cookies.set(name, value)
    }
    return { status: response.status, text: await response.text(), headers: response.headers }
  }
}

/** Listens on a free port; answers the origin. */
export async function listening(server: Server): Promise<string> {
  if (!server.listening) await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

export async function closed(server: Server): Promise<void> {
  server.closeAllConnections()
  await new Promise((resolve) => server.close(resolve))
}
