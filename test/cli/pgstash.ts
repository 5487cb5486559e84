import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { inject } from 'vitest'

export const main = join(import.meta.dirname, '../../dist/cli/main.js')

/** How a run of the command line ended. */
export interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface RunOptions {
  /** Default: the PostgreSQL of this test run. */
  readonly url?: string
  /** Sends SIGINT, once, as soon as stdout has this. */
  readonly interruptOn?: string | undefined
}

/** Runs the built command line, with nobody at a terminal. */
export function pgstash(
  args: readonly string[],
  { url = inject('postgresUrl'), interruptOn }: RunOptions = {},
): Promise<Run> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [main, ...args], {
      env: { ...process.env, DATABASE_URL: url },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [stdout, stderr] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      if (interruptOn === undefined || !stdout.includes(interruptOn) || child.killed) return
      child.kill('SIGINT')
    })
    child.stderr.on('data', (chunk: Buffer) => {
      stderr += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => {
      resolve({ code, stdout, stderr })
    })
  })
}

/**
 * Runs it on a pseudo-terminal (util-linux' `script`), and types `keys` once `prompt` has come. In the shell's place: at Ctrl-C dash would end with 130,
 * whatever the program ends with.
 */
export function onTerminal(args: readonly string[], prompt: string | RegExp, keys: string): Promise<Run> {
  return new Promise((resolve, reject) => {
    const command = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ')
    const env = { ...process.env, DATABASE_URL: inject('postgresUrl'), SHELL: '/bin/sh', TERM: 'xterm', NO_COLOR: '' }
    const child = spawn('script', ['-qefc', `stty cols 100 rows 40; exec ${command}`, '/dev/null'], { env })
    let [stdout, hasTyped] = ['', false]
    child.stdout.on('data', (chunk: Buffer) => {
      stdout += chunk
      if (hasTyped || stdout.search(prompt) < 0) return
      hasTyped = true
      child.stdin.write(keys)
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, stdout, stderr: '' }))
  })
}

export function freshName(): string {
  return `cli_${randomBytes(6).toString('hex')}`
}

/** What `--json` printed: one document, and nothing else. */
export function documentOf<T = Record<string, unknown>>({ stdout }: Run): T {
  return JSON.parse(stdout) as T
}
