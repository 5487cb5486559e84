import { InvalidArgumentError, PgStashError } from '../../src/errors'
import { CallersError, callersWord } from './nasty'

/** Longer than anything here takes, and shorter than the stash's own time limit: so a call that hangs is told from one that gave up. */
const patienceMs = 5_000

/** Bad input has to be refused before it reaches SQL, and must not look like an outage. */
const suspects = ['DATABASE', 'TIMEOUT', 'CONNECTION', 'CIRCUIT_OPEN', 'PRIVILEGE', 'CLOSED']

export interface Expectation {
  /** Whether this is a right answer; where an argument had to be refused, none is. */
  isRight(answer: unknown): boolean
  /** Codes, without their prefix, that are right here though they are suspect elsewhere. */
  readonly allowed: readonly string[]
  /** Whether it answers a promise: then it never throws. */
  readonly isPromised: boolean
}

/** undefined: all is well; otherwise what is wrong. */
export async function judge(call: () => unknown, expected: Expectation): Promise<string | undefined> {
  // fast-check turns stacks off.
  Error.stackTraceLimit = 30
  let answer: unknown
  try {
    answer = call()
  } catch (error) {
    return (
      judgeError(error, expected) ??
      (expected.isPromised && !isAboutCallback(error) ? `throws ${tell(error)} instead of rejecting` : undefined)
    )
  }
  try {
    const settled = await within(answer)
    if (settled === late) return `no answer within ${patienceMs} ms`
    return isRight(settled, expected) ? undefined : `answers ${tell(settled)}`
  } catch (error) {
    return judgeError(error, expected)
  }
}

const late = Symbol('late')

async function within(answer: unknown): Promise<unknown> {
  let timer: NodeJS.Timeout | undefined
  const lateness = new Promise((resolve) => {
    timer = setTimeout(resolve, patienceMs, late)
  })
  return Promise.race([answer, lateness]).finally(() => clearTimeout(timer))
}

function isRight(answer: unknown, { isRight }: Expectation): boolean {
  try {
    return isRight(answer)
  } catch {
    return false
  }
}

function judgeError(error: unknown, { allowed }: Expectation): string | undefined {
  if (isCallers(error)) return undefined
  if (!(error instanceof PgStashError)) return `fails with ${tell(error)}`
  const code = /^ERR_PGSTASH_([A-Z_]+)$/.exec(error.code)?.[1]
  if (code === undefined) return `has the code ${error.code}`
  if (suspects.includes(code) && !allowed.includes(code) && !isCallers(error.cause)) return `fails with ${tell(error)}`
  if (error instanceof InvalidArgumentError && !error.field) return `names no field: ${tell(error)}`
  return undefined
}

/** Who passes a callback is told by it; where it is no function, as Node does it, at once. */
function isAboutCallback(error: unknown): boolean {
  return error instanceof InvalidArgumentError && error.field === 'callback'
}

/** What an argument threw: its own error, nothing at all (which the library never throws), or the engine's about a proxy that is revoked. */
function isCallers(error: unknown): boolean {
  if (error instanceof CallersError || error === callersWord || error === undefined) return true
  return error instanceof TypeError && error.message.includes('proxy that has been revoked')
}

/** With the line of the library it comes from. */
function tell(thing: unknown): string {
  if (!(thing instanceof Error)) return safely(thing)
  const cause = thing.cause instanceof Error ? `, caused by ${tell(thing.cause)}` : ''
  const line = thing.stack?.split('\n').find((frame) => /\/src\/(?!errors)/.test(frame))
  const at = line === undefined ? '' : ` at ${/src\/[^)]*/.exec(line)?.[0]}`
  return `${thing.constructor.name}: ${thing.message.slice(0, 160)}${at}${cause}`
}

function safely(thing: unknown): string {
  try {
    return typeof thing === 'object' ? JSON.stringify(thing).slice(0, 200) : String(thing)
  } catch {
    return Object.prototype.toString.call(thing)
  }
}
