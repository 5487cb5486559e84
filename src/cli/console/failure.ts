import { CommanderError } from 'commander'
import { InvalidArgumentError, PgStashError } from '../../errors'
import { printable } from './terminal'

/** Exit codes; 0: all is well. */
export const failed = 1
const badUsage = 2

/** Flags that do not go together, or one that is missing. */
export class UsageError extends PgStashError {
  constructor(message: string) {
    super('USAGE', message)
  }
}

/** A flag that has to be there. Looked at last: one that is unknown, mostly misspelt, is told first. @throws {UsageError} */
export function requireFlag(name: string, value: string | undefined, nextStep: string): void {
  if (value === undefined) throw new UsageError(`${name} is missing. ${nextStep}`)
}

/** Somebody said no, or Ctrl-C. */
export class StoppedError extends PgStashError {
  constructor(message: string) {
    super('STOPPED', message)
  }
}

/** Tells what went wrong, on stderr, and with --json on stdout too; answers the exit code. */
export function tellFailure(error: unknown, isJson: boolean): number {
  if (error instanceof CommanderError && (error.exitCode === 0 || error.code === 'commander.help'))
    return error.exitCode === 0 ? 0 : badUsage
  const { code, message } = toldAs(error)
  process.stderr.write(`${code}: ${printable(message)}\n`)
  if (isJson) process.stdout.write(`${JSON.stringify({ error: { code, message } })}\n`)
  const isUsage =
    error instanceof CommanderError || error instanceof InvalidArgumentError || error instanceof UsageError
  return isUsage ? badUsage : failed
}

function toldAs(error: unknown): { code: string; message: string } {
  if (error instanceof PgStashError) return error
  const message = error instanceof Error ? error.message : String(error)
  if (error instanceof CommanderError)
    return { code: 'ERR_PGSTASH_USAGE', message: message.replace(/^error: /, '').replace(/\n/g, ' ') }
  return { code: 'ERR_PGSTASH_UNEXPECTED', message }
}
