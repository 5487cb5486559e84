import { describe, expect, inject, it } from 'vitest'
import { IsolatedSchema } from '../../support/schemas/isolated'

const url = inject('postgresUrl')

/** What each says, and what is so. */
interface Told {
  /** The findings of doctor, as the application: of its role, of row-level security. */
  readonly doctor: readonly [role: string, isolation: string]
  /** Of a new process of the application. */
  readonly start: string
  /** A read of the application that was running before. */
  readonly get: unknown
  /** `stats()` as the owner of that day: the live entries, of one. */
  readonly stats: unknown
  /** Rows that the application's role sees if it names no tenant; undefined: it may not look. */
  readonly seen: number | undefined
  readonly mayTruncate: boolean
}

const well: Told = { doctor: ['ok', 'ok'], start: 'ok', get: 1, stats: 1, seen: 0, mayTruncate: false }

interface Situation {
  readonly name: string
  /** Before the schema is made, by a superuser. */
  readonly before?: string
  /** When the application runs. APP, OWNER, OTHER and S. are spelt as the roles and the schema are called. */
  readonly later?: string
  readonly told: Told
  /** How `grantTo` of that day's owner answers what it cannot mend. undefined: nothing is left, and the application starts. */
  readonly left?: RegExp
}

const revoked = 'ERR_PGSTASH_PRIVILEGE'
const unsafe = (reason: string) => `ERR_PGSTASH_UNSAFE_ROLE ${reason}`

const situations: readonly Situation[] = [
  { name: 'as it comes', told: well },
  {
    name: 'default privileges that are generous to the application',
    before:
      'alter default privileges for role OWNER grant all on tables to APP; alter default privileges for role OWNER grant all on functions to APP',
    told: well,
  },
  {
    name: 'default privileges that are generous to everybody',
    before: 'alter default privileges for role OWNER grant all on tables to public',
    told: { ...well, doctor: ['fail', 'ok'], start: unsafe('rights'), get: unsafe('rights'), mayTruncate: true },
    left: /^revoke .*truncate.* on table .* from public$/,
  },
  {
    name: 'a generous grant under a running application',
    later: 'grant all on all tables in schema SCHEMA_ to APP',
    told: { ...well, doctor: ['fail', 'ok'], start: unsafe('rights'), mayTruncate: true },
  },
  {
    name: 'default privileges that are hardened',
    before: 'alter default privileges for role OWNER revoke execute on functions from public',
    told: well,
  },
  {
    name: 'hardened under a running application',
    later: 'revoke execute on all routines in schema SCHEMA_ from public; revoke all on schema SCHEMA_ from public',
    told: well,
  },
  {
    name: 'all rights taken from a running application',
    later: 'revoke all on all tables in schema SCHEMA_ from APP; revoke all on schema SCHEMA_ from APP',
    told: { ...well, doctor: ['fail', 'unknown'], start: revoked, get: revoked, seen: undefined },
  },
  {
    name: 'another owner: reassign owned',
    later: 'reassign owned by OWNER to OTHER',
    told: { ...well, doctor: ['ok', 'fail'], start: unsafe('policies'), stats: unsafe('policies') },
  },
  {
    name: 'another owner: a restore that made no policies for the old one',
    later: 'drop policy maintenance on S.entry; drop policy maintenance on S.session; reassign owned by OWNER to OTHER',
    told: { ...well, doctor: ['ok', 'fail'], start: unsafe('policies'), stats: unsafe('policies') },
  },
  {
    name: 'another owner, who grants nothing: a restore without owners and privileges',
    later:
      'reassign owned by OWNER to OTHER; revoke all on all tables in schema SCHEMA_ from APP; revoke all on schema SCHEMA_ from APP',
    told: {
      doctor: ['fail', 'unknown'],
      start: revoked,
      get: revoked,
      stats: unsafe('policies'),
      seen: undefined,
      mayTruncate: false,
    },
  },
  {
    name: 'row-level security taken off a table',
    later: 'alter table S.entry no force row level security',
    told: { ...well, doctor: ['fail', 'fail'], start: unsafe('not-forced') },
  },
  {
    name: 'the role switched to BYPASSRLS',
    later: 'alter role APP bypassrls',
    told: { ...well, doctor: ['fail', 'fail'], start: unsafe('bypassrls'), seen: 1 },
    left: /has BYPASSRLS/,
  },
  {
    name: 'the role made a member of the owner',
    later: 'grant OWNER to APP',
    told: { ...well, doctor: ['ok', 'fail'], start: unsafe('owner'), seen: 1, mayTruncate: true },
    left: /owns the tables/,
  },
]

const outcomeOf = (work: Promise<unknown>): Promise<unknown> =>
  work.catch(({ code, reason }) => [code, reason].filter(Boolean).join(' '))

/** What a role sees if it names no tenant. */
async function seenBy(made: IsolatedSchema, role: string): Promise<number | undefined> {
  await made.admin(`set role ${role}`)
  const rows = await made.admin(`select count(*)::int from ${made.schema}.entry`).catch(() => undefined)
  await made.admin('reset role')
  return rows?.[0]?.[0] as number | undefined
}

describe('owners, roles and default privileges', () => {
  it.each(situations.map((situation) => [situation.name, situation] as const))(
    '%s: doctor, start, verbs and migrate say what is so',
    async (_, { before, later, told, left }) => {
      const made = await IsolatedSchema.empty(url)
      const other = await made.role('other')
      const spelt = (text: string) =>
        text
          .replaceAll('OWNER', made.owner)
          .replaceAll('OTHER', other)
          .replaceAll('APP', made.app)
          .replaceAll('S.', `${made.schema}.`)
          .replaceAll('SCHEMA_', made.schema)
      if (before !== undefined) await made.admin(spelt(before))
      await made.openOwner().migrate()
      await made.openOwner().grantTo(made.app)
      const ownerAt = (role: string) =>
        made.open({ connectionString: made.urlOf(role), isolation: 'column', migrate: false, sweeper: false })
      await ownerAt(made.owner).namespace('n').set('k', 1)
      const running = made.open()
      await running.ready().catch(() => {})
      if (later !== undefined) await made.admin(spelt(later))
      const today = later?.includes('OTHER') ? other : made.owner

      const owner = made.openOwner({ maintenance: made.urlOf(today), migrate: false })
      const { checks } = await made.open().doctor()
      const statusOf = (name: string) => checks.find((check) => check.name === name)?.status
      const [truncate] = await made.admin(
        `select has_table_privilege('${made.app}', '${made.schema}.entry', 'truncate')`,
      )
      const asOwner = ownerAt(today)
      expect({
        doctor: [statusOf('role'), statusOf('isolation')],
        start: await outcomeOf(
          made
            .open()
            .ready()
            .then(() => 'ok'),
        ),
        get: await outcomeOf(running.namespace('n').get('k')),
        stats: await outcomeOf(asOwner.stats().then(({ live }) => live)),
        seen: await seenBy(made, made.app),
        mayTruncate: truncate?.[0],
      }).toEqual(told)

      expect(await owner.migrate()).toEqual([])
      const answered = await owner.grantTo(made.app).catch(({ message }) => [message])
      if (left === undefined) {
        expect(answered).toEqual([])
        await made.open().ready()
      } else {
        expect(answered).not.toEqual([])
        for (const line of answered) expect(line).toMatch(left)
      }
      expect(await asOwner.stats()).toMatchObject({ live: 1 })
      await made.drop()
    },
  )
})
