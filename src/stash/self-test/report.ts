import { PgStashError, PrivilegeError } from '../../errors'
import { temporaryName } from '../../postgres/schema/temporary'
import type { TenantRows } from '../../postgres/upkeep/tenant-rows'
import type { PgStash } from '../pg-stash'
import { entryRounds, forgetEntries } from './entries'
import { limitRounds } from './limits'
import type { Round } from './round'
import { sessionRounds } from './sessions'

/** One thing that was done, and whether it did what it should. */
export interface SelfTestStep {
  /** `entries`, `sessions`, `rate limits`, `logins`, or `rows` for what is left. */
  readonly store: string
  readonly step: string
  readonly isOk: boolean
  readonly ms: number
  /** What went wrong; undefined: nothing. */
  readonly problem: string | undefined
  /** Why it was not done; undefined: it was. */
  readonly leftOut: string | undefined
}

export interface SelfTestReport {
  readonly isOk: boolean
  /** Where it was done; nothing of it is left. */
  readonly tenant: string
  readonly steps: readonly SelfTestStep[]
  /** By the signal, before the end; what was begun is cleaned up. */
  readonly isStopped: boolean
}

/** A round trip of every kind of store, in a tenant that nobody has; its rows are deleted afterwards, also where the signal ends it after the step under way. */
export async function selfTest(stash: PgStash, signal?: AbortSignal): Promise<SelfTestReport> {
  await stash.ready()
  const tenant = temporaryName('test')
  const rows = stash.tenantRows(tenant)
  const mayForget = await canForget(rows)
  const steps: SelfTestStep[] = []
  const run = async (store: string, rounds: readonly Round[]) => {
    for (const round of rounds) {
      if (signal?.aborted) return
      steps.push(await stepOf(store, round))
    }
  }
  try {
    // A clear leaves a generation, which a role without the right to delete it could not take away.
    await run('entries', entryRounds(stash, tenant, mayForget))
    await run('sessions', sessionRounds(stash, tenant))
    for (const { store, rounds } of limitRounds(stash, tenant)) await run(store, rounds)
  } finally {
    const forgotten = () => forget(stash, rows, tenant, mayForget)
    steps.push(await stepOf('rows', { step: 'nothing is left', run: forgotten }))
  }
  return { isOk: steps.every(({ isOk }) => isOk), tenant, steps, isStopped: signal?.aborted === true }
}

async function canForget(rows: TenantRows): Promise<boolean> {
  try {
    await rows.forget()
    return true
  } catch (error) {
    if (error instanceof PrivilegeError) return false
    throw error
  }
}

async function forget(
  stash: PgStash,
  rows: TenantRows,
  tenant: string,
  mayForget: boolean,
): Promise<string | undefined> {
  if (mayForget) await rows.forget()
  else {
    await forgetEntries(stash, tenant)
    await rows.delete('sessions', null)
    await rows.delete('rate-limits', null)
  }
  const left = await rows.countAll()
  return left === 0 ? undefined : `${left} rows of the tenant ${tenant} are left`
}

async function stepOf(store: string, { step, run, leftOut }: Round): Promise<SelfTestStep> {
  if (leftOut !== undefined) return { store, step, isOk: true, ms: 0, problem: undefined, leftOut }
  const started = performance.now()
  const problem = await run().catch(problemOf)
  return { store, step, isOk: problem === undefined, ms: performance.now() - started, problem, leftOut }
}

function problemOf(error: unknown): string {
  return error instanceof PgStashError ? `${error.code}: ${error.message}` : String(error)
}
