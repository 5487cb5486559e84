import { execFileSync } from 'node:child_process'

/** For programs that refuse to run as root; undefined for everybody else. Any account will do, and `nobody` is on every machine. */
export function unprivilegedUser(): { uid: number; gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string) => Number(execFileSync('id', [flag, 'nobody'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}
