import pg from 'pg'
import type { PgStashOptions } from '../../../src/stash/options/told'
import { PgStash } from '../../../src/stash/pg-stash'
import { freshSchema, urlAs } from '../bodies'

/** A schema under row-level security, its owner, and a role of the application. */
export class IsolatedSchema {
  readonly schema = freshSchema()
  readonly owner = `${this.schema}_owner`
  readonly app = `${this.schema}_app`
  readonly #admin: pg.Pool
  readonly #stashes: PgStash[] = []
  readonly #roles = [this.owner, this.app]

  private constructor(readonly url: string) {
    this.#admin = new pg.Pool({ connectionString: url, max: 1 })
  }

  /** The two roles, and a schema that is empty yet. */
  static async empty(url: string): Promise<IsolatedSchema> {
    const made = new IsolatedSchema(url)
    for (const role of made.#roles) await made.admin(`create role ${role} login`)
    await made.admin(`create schema ${made.schema} authorization ${made.owner}`)
    return made
  }

  static async make(url: string): Promise<IsolatedSchema> {
    const made = await IsolatedSchema.empty(url)
    const owner = made.openOwner()
    await owner.migrate()
    await owner.grantTo(made.app)
    return made
  }

  urlOf(role: string): string {
    return urlAs(role, this.url)
  }

  /** As the application, unless the options say otherwise. */
  open(options?: PgStashOptions): PgStash {
    const connectionString = this.urlOf(this.app)
    const usual = { connectionString, schema: this.schema, isolation: 'rls', timeoutMs: 60_000 } as const
    const stash = new PgStash({ ...usual, ...options })
    this.#stashes.push(stash)
    return stash
  }

  /** With the owner's connection as well; nobody sweeps. */
  openOwner(options?: PgStashOptions): PgStash {
    return this.open({ maintenance: this.urlOf(this.owner), sweeper: false, ...options })
  }

  /** One more role, dropped with the others. */
  async role(purpose: string, options = 'login'): Promise<string> {
    const role = `${this.schema}_${purpose}`
    await this.admin(`create role ${role} ${options}`)
    this.#roles.push(role)
    return role
  }

  async admin(text: string): Promise<unknown[][]> {
    const result = (await this.#admin.query({ text, rowMode: 'array' })) as { rows?: unknown[][] }
    return result.rows ?? []
  }

  async drop(): Promise<void> {
    for (const stash of this.#stashes) await stash.close()
    await this.admin(`drop schema ${this.schema} cascade`)
    for (const role of this.#roles) await this.admin(`drop owned by ${role}; drop role ${role}`)
    await this.#admin.end()
  }
}
