import { keyPattern } from '../../entry/key-pattern'
import {
  KeyvTable,
  type KeyvTableFilter,
  type KeyvTablePosition,
  type KeyvTableRow,
} from '../../postgres/import/keyv-table'
import type { TableName } from '../../postgres/wire/statement'
import type { ImportSource, SourceEntry, SourcePage } from './source'

export interface KeyvTableSourceOptions {
  readonly url: string
  /** What the connection calls itself. Default: pgstash-import. */
  readonly applicationName?: string | undefined
  readonly table: TableName
  /** Only keys that match this glob, as Keyv 5 writes them: `namespace:key`. */
  readonly match?: string | undefined
  readonly prefix?: string | undefined
  readonly rowsPerPage: number
  readonly timeoutMs: number
}

/** The entries of a table that @keyv/postgres has made, in the order of their keys: a cursor holds as long as the table. */
export class KeyvTableSource implements ImportSource {
  readonly name: string
  readonly secret: string
  readonly notes = []
  readonly #table: KeyvTable
  readonly #filter: KeyvTableFilter
  readonly #rowsPerPage: number

  constructor({ url, table, match, prefix, rowsPerPage, timeoutMs, applicationName }: KeyvTableSourceOptions) {
    const { host, pathname } = new URL(url)
    const filter = match === undefined ? '' : `?match=${match}`
    this.name = `postgres://${host}${pathname} ${table.schema}.${table.table}${filter}`
    this.secret = url
    const named = applicationName === undefined ? {} : { application_name: applicationName }
    this.#table = new KeyvTable({ connectionString: url, ...named }, table, timeoutMs)
    this.#filter = { prefix, expression: match === undefined ? undefined : keyPattern(match).expression }
    this.#rowsPerPage = rowsPerPage
  }

  async epoch(): Promise<string> {
    return 'keys'
  }

  async size(): Promise<undefined> {
    return undefined
  }

  async *pages(from: string | undefined): AsyncGenerator<SourcePage, void> {
    let behind = from === undefined ? undefined : (JSON.parse(from) as KeyvTablePosition)
    for (;;) {
      const rows = await this.#table.page(behind, this.#filter, this.#rowsPerPage)
      const last = rows.length < this.#rowsPerPage ? undefined : (rows.at(-1) as KeyvTableRow)
      behind = last && { key: last.key, namespace: last.namespace }
      yield pageOf(rows, behind)
      if (behind === undefined) return
    }
  }

  close(): Promise<void> {
    return this.#table.close()
  }
}

function pageOf(rows: readonly KeyvTableRow[], behind: KeyvTablePosition | undefined): SourcePage {
  const wanted = rows.filter(({ isWanted }) => isWanted)
  const valued = wanted.filter(({ value }) => value !== null)
  // Keyv compares with the clock of whoever reads: here that is this process.
  const now = Date.now()
  return {
    entries: valued.map((row) => entryOf(row, now)),
    skipped: Array<string>(wanted.length - valued.length).fill('no-value'),
    readAt: performance.now(),
    next: behind && JSON.stringify(behind),
  }
}

function entryOf({ key, namespace, value, expires }: KeyvTableRow, now: number): SourceEntry {
  const expiry = expires ?? envelopeExpiry(value as string)
  return {
    key: namespace === '' ? key : `${namespace}:${key}`,
    value: value as string,
    ttl: expiry === null ? null : expiry - now,
  }
}

/** Keyv's envelope is `{"value":…,"expires":…}`; the table knew no expiry before version 6. */
function envelopeExpiry(text: string): number | null {
  if (!text.includes('"expires"')) return null
  try {
    const { expires } = JSON.parse(text) as { expires?: unknown }
    return typeof expires === 'number' ? expires : null
  } catch {
    return null
  }
}
