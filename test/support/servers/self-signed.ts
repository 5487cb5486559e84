import { execFileSync } from 'node:child_process'
import { chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { unprivilegedUser } from './unprivileged-user'

/** Whether this machine can make certificates. */
export const hasOpenssl = runs('openssl', ['version'])

/** A certificate that nobody but itself has signed, in files that a server of the tests may read. */
export class SelfSigned {
  /** As `ssl: { ca }` takes it. */
  readonly certificate: string
  readonly #directory = mkdtempSync(join(tmpdir(), 'pgstash-tls-'))

  /** @param name whom it is made out for */
  constructor(readonly name: string) {
    const [certificate, key] = [join(this.#directory, 'server.crt'), join(this.#directory, 'server.key')]
    const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
    const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', ...subject]
    execFileSync('openssl', [...request, '-keyout', key, '-out', certificate], { stdio: 'ignore' })
    this.certificate = readFileSync(certificate, 'utf8')
    const user = unprivilegedUser()
    // A server refuses a key that others may read, or that is somebody else's.
    if (user !== undefined) for (const file of [this.#directory, key, certificate]) chownSync(file, user.uid, user.gid)
  }

  /** For a server that speaks TLS with it. */
  get settings(): readonly string[] {
    return [
      'ssl=on',
      `ssl_cert_file=${join(this.#directory, 'server.crt')}`,
      `ssl_key_file=${join(this.#directory, 'server.key')}`,
    ]
  }

  remove(): void {
    rmSync(this.#directory, { recursive: true, force: true })
  }
}

function runs(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
