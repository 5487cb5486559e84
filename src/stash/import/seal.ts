const ivBytes = 12

/**
 * What a checkpoint keeps of keys, a cursor in a table or a witness, is nobody's business who reads the target: it is sealed with the address of the source,
 * its password included.
 */
export class ImportSeal {
  readonly #secret: string

  constructor(secret: string) {
    this.#secret = secret
  }

  async close(text: string): Promise<string> {
    const iv = crypto.getRandomValues(new Uint8Array(ivBytes))
    const sealed = await crypto.subtle.encrypt({ name: 'AES-GCM', iv }, await this.#key(), Buffer.from(text))
    return Buffer.concat([iv, Buffer.from(sealed)]).toString('base64')
  }

  /** undefined: sealed with another secret, or no seal at all. */
  async open(sealed: string): Promise<string | undefined> {
    const bytes = Buffer.from(sealed, 'base64')
    const [iv, rest] = [bytes.subarray(0, ivBytes), bytes.subarray(ivBytes)]
    try {
      const text = await crypto.subtle.decrypt({ name: 'AES-GCM', iv }, await this.#key(), rest)
      return Buffer.from(text).toString()
    } catch {
      return undefined
    }
  }

  async #key() {
    return crypto.subtle.importKey('raw', await sha256(this.#secret), 'AES-GCM', false, ['encrypt', 'decrypt'])
  }
}

/** In hexadecimal: a name for a text that is not to be read. */
export async function digestOf(text: string): Promise<string> {
  return (await sha256(text)).toString('hex')
}

async function sha256(text: string): Promise<Buffer> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text)))
}
