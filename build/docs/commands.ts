import { execFileSync } from 'node:child_process'
import type { Fence } from './page'

/** The commands of the built command line, each with its flags, as its help tells them. */
export function commandLine(main: string): ReadonlyMap<string, ReadonlySet<string>> {
  const helpOf = (...words: string[]) =>
    execFileSync(process.execPath, [main, ...words, '--help'], { encoding: 'utf8' })
  const verbs = [...helpOf().matchAll(/^ {2}([a-z]+) /gm)].map(([, verb]) => verb as string)
  const flagsOf = (help: string) => new Set([...help.matchAll(/(?<=[\s,])--?[a-zA-Z][\w-]*/g)].map(([flag]) => flag))
  const own = flagsOf(helpOf())
  return new Map([...verbs.map((verb) => [verb, flagsOf(helpOf(verb))] as const), ['', own]])
}

/** Names each `pgstash verb --flag` in the shell blocks that the command line does not know. */
export function commandFaults(commands: ReadonlyMap<string, ReadonlySet<string>>, fences: readonly Fence[]): string[] {
  return fences
    .filter(({ language }) => language === 'sh')
    .flatMap(({ path, line, code }) =>
      callsIn(code).flatMap(({ at, words }) =>
        faultOf(commands, words).map((fault) => `${path}:${line + at}: ${fault}`),
      ),
    )
}

/** A line that ends with a backslash goes on in the next one; what follows a pipe or a comment is somebody else's. */
function callsIn(code: string): { at: number; words: string[] }[] {
  const joined = code.replace(/\\\n/g, (_, offset: number) => (offset >= 0 ? '\\\0' : ''))
  return joined.split('\n').flatMap((text, at) => {
    const lines = joined.split('\n').slice(0, at).join('').split('\0').length - 1
    const call = /(?:^|\bnpx (?:-\S+ )*)pgstash\s+([^|;&#>]*)/.exec(text.replaceAll('\\\0', ' '))?.[1]
    return call === undefined ? [] : [{ at: at + lines, words: call.trim().split(/\s+/) }]
  })
}

function faultOf(
  commands: ReadonlyMap<string, ReadonlySet<string>>,
  [first = '', ...rest]: readonly string[],
): string[] {
  const verb = first.startsWith('-') ? '' : first
  const flags = commands.get(verb)
  if (flags === undefined) return [`pgstash has no command ${verb}`]
  const given = (verb === '' ? [first, ...rest] : rest).filter((word) => /^--?[a-zA-Z]/.test(word))
  return given
    .map((word) => word.split('=')[0] as string)
    .filter((flag) => !flags.has(flag))
    .map((flag) => `pgstash ${verb} has no flag ${flag}`)
}
