import { PgStashError } from '../../errors'
import { rest } from '../../stash/upkeep/rest'
import { interruption } from '../console/stash-command'
import { paint } from '../console/terminal'

/** Of its own, so that what stood on the terminal is there again afterwards; without a cursor. */
const enter = '\x1b[?1049h\x1b[?25l'
const leave = '\x1b[?25h\x1b[?1049l'

/**
 * Draws a screen again and again until Ctrl-C: over itself on a terminal, one below the other elsewhere. A database that goes away meanwhile is told, and
 * asked again; the first screen has to come.
 */
export async function watch(seconds: number, draw: () => Promise<string>): Promise<void> {
  let screen = await draw()
  const { signal } = interruption()
  // A server that does not answer keeps nobody from leaving.
  const aborted = new Promise<string>((resolve) => {
    signal.addEventListener('abort', () => resolve(''))
  })
  const isLive = process.stdout.isTTY
  if (isLive) process.stdout.write(enter)
  try {
    while (!signal.aborted) {
      process.stdout.write(isLive ? redrawn(screen, seconds) : `${screen}\n\n`)
      await rest(seconds * 1_000, signal)
      if (!signal.aborted) screen = await Promise.race([draw().catch(told), aborted])
    }
  } finally {
    if (isLive) process.stdout.write(leave)
  }
}

/** From the top left, each line to its end, and nothing below: a whole-screen erase would flicker. */
function redrawn(screen: string, seconds: number): string {
  const footer = paint('dim', `every ${seconds} s, ${new Date().toLocaleTimeString('en-GB')}; Ctrl-C ends`)
  const height = process.stdout.rows || 24
  const lines = [...screen.split('\n').slice(0, height - 2), '', footer].slice(0, height)
  return `\x1b[H${lines.map((line) => `${line}\x1b[K`).join('\r\n')}\x1b[J`
}

function told(error: unknown): string {
  if (!(error instanceof PgStashError)) throw error
  return paint('red', `${error.code}: ${error.message}`)
}
