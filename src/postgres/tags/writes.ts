import addTagged from '../../../sql/statements/tags/add.sql'
import compareAndSetTagged from '../../../sql/statements/tags/compare-and-set.sql'
import countTagged from '../../../sql/statements/tags/count.sql'
import deleteByTag from '../../../sql/statements/tags/delete-by-tag.sql'
import setTagged from '../../../sql/statements/tags/set.sql'
import type { Address } from '../../coalescing/address'
import type { Located } from '../../coalescing/located'
import type { Tags } from '../../entry/tags'
import type { Row } from '../wire/driver'
import { type Statement, statementOf } from '../wire/statement'
import type { StatementRunner } from '../wire/statement-runner'
import { tagColumns } from './columns'

/** Of which statement of the entries it is the one with tags. */
export type TaggedVerb = 'set' | 'add' | 'compareAndSet'

/** Writes of which at least one is tagged, or a set has a grace; deletions by tag, and what these would delete. */
export class TaggedWrites {
  readonly #database: StatementRunner
  readonly #statements: Readonly<Record<TaggedVerb, Statement>>
  readonly #delete: Statement
  readonly #count: Statement

  constructor(database: StatementRunner, schema: string) {
    this.#database = database
    this.#statements = {
      set: statementOf(setTagged, schema),
      add: statementOf(addTagged, schema),
      compareAndSet: statementOf(compareAndSetTagged, schema),
    }
    this.#delete = statementOf(deleteByTag, schema)
    this.#count = statementOf(countTagged, schema)
  }

  /**
   * @param values those of the statement without tags, which this one begins with
   * @param more those after it
   */
  run(
    verb: TaggedVerb,
    values: readonly unknown[],
    requests: readonly Located[],
    tags: readonly (Tags | undefined)[],
    nonce: string | null,
    more: readonly unknown[] = [],
  ): Promise<readonly Row[]> {
    return this.#database.write(this.#statements[verb], [...values, ...tagColumns(requests, tags), nonce, ...more])
  }

  /** @param address that of the tenant, with the namespace '', for tags of the whole tenant. Answers a row: the numbers that are void from now on. */
  deleteByTag({ tenant, namespace }: Address, names: readonly string[], nonce: string | null): Promise<readonly Row[]> {
    return this.#database.write(this.#delete, [tenant, namespace, names, nonce])
  }

  /** Live entries under one of the tags. */
  async count(tenant: string, namespace: string, names: readonly string[]): Promise<number> {
    const [row] = await this.#database.read(this.#count, [tenant, namespace, names])
    return (row as [number])[0]
  }
}
