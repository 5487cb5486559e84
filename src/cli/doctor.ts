import type { Command } from 'commander'
import type { Check, CheckStatus, Diagnosis } from '../stash/doctor/diagnosis'
import { failed } from './console/failure'
import { wholeNumber } from './console/flag-values'
import { isolationOption, type StashFlags, stashCommand, withStash } from './console/stash-command'
import { type Colour, paint, print, printable } from './console/terminal'

interface DoctorFlags extends StashFlags {
  readonly pool?: number
  readonly processes?: number
}

const colours: Readonly<Record<CheckStatus, Colour>> = { ok: 'green', warn: 'yellow', fail: 'red', unknown: 'cyan' }

/** `pgstash doctor`: what is known to go wrong, and what to do about it. */
export function doctorCommand(): Command {
  return stashCommand('doctor')
    .description('look for what is wrong, as the role of the application; changes nothing')
    .addOption(isolationOption('what the application uses'))
    .option('--pool <connections>', 'the size of the pool of one process (default: 5)', wholeNumber)
    .option('--processes <number>', 'how many processes share the server', wholeNumber)
    .action(doctor)
}

async function doctor(flags: DoctorFlags): Promise<void> {
  const { pool, processes, json } = flags
  const diagnosis = await withStash(flags, (stash) => stash.doctor({ poolSize: pool, processes }))
  if (!diagnosis.isHealthy) process.exitCode = failed
  print(json, { schema: flags.schema ?? 'pgstash', ...diagnosis }, screenOf(diagnosis))
}

function screenOf({ checks }: Diagnosis): string {
  const count = (status: CheckStatus) => checks.filter((check) => check.status === status).length
  const end = `${count('ok')} ok, ${count('warn')} warn, ${count('fail')} fail, ${count('unknown')} unknown`
  return [...checks.map(lineOf), '', end].join('\n')
}

function lineOf({ name, status, detail, nextStep }: Check): string {
  const line = `${paint(colours[status], status.padEnd(7))}  ${name.padEnd(11)}  ${printable(detail)}`
  return nextStep === undefined ? line : `${line}\n${' '.repeat(22)}${paint('dim', `→ ${printable(nextStep)}`)}`
}
