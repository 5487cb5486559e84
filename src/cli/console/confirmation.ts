import { createInterface } from 'node:readline/promises'
import { StoppedError, UsageError } from './failure'
import { printable } from './terminal'

/**
 * Asks on a terminal; where there is none, `--yes` has to have been said.
 * @throws {UsageError} nobody can be asked
 * @throws {StoppedError} the answer was no
 */
export async function confirm(question: string): Promise<void> {
  const asking = createInterface({ input: process.stdin, output: process.stderr })
  const gone = new AbortController()
  asking.once('close', () => gone.abort())
  try {
    const answer = await asking.question(`${printable(question)} [y/N] `, { signal: gone.signal })
    if (!/^y(es)?$/i.test(answer.trim())) throw new StoppedError('nothing was done.')
  } catch (error) {
    if (error instanceof StoppedError) throw error
    // Ctrl-C or Ctrl-D in the place of an answer.
    throw new StoppedError('nothing was done.')
  } finally {
    asking.close()
  }
}

/** Before anything is asked of the database. @throws {UsageError} */
export function requireAnswer(isYes: boolean | undefined, ways = '--yes, or --dry-run to look first'): void {
  if (isYes || (process.stdin.isTTY && process.stderr.isTTY)) return
  throw new UsageError(`there is no terminal to ask on. Pass ${ways}.`)
}
