import { spawn } from 'node:child_process'
import { join } from 'node:path'

const root = join(import.meta.dirname, '../..')

/** What a process printed, and how it ended. */
export interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Runs a script in another Node, from the project's folder, with the built package as `pgstash`. */
export function runNode(script: string, env: Record<string, string> = {}): Promise<Ended> {
  return runCommand(process.execPath, ['--input-type=module', '-e', script], { env })
}

/** Runs a command; output and errors together. */
export function runCommand(
  command: string,
  args: readonly string[],
  { cwd = root, env = {} }: { cwd?: string; env?: Record<string, string> } = {},
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd, env: { ...process.env, ...env } })
    let output = ''
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.stderr.on('data', (chunk: Buffer) => {
      output += chunk
    })
    child.on('error', reject)
    child.on('close', (code) => resolve({ code, output }))
  })
}
