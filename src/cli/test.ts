import type { Command } from 'commander'
import { type SelfTestReport, type SelfTestStep, selfTest } from '../stash/self-test/report'
import { failed, StoppedError } from './console/failure'
import { milliseconds } from './console/quantity'
import { interruption, isolationOption, type StashFlags, stashCommand, withStash } from './console/stash-command'
import { paint, print, printable } from './console/terminal'

/** `pgstash test`: a round trip of every kind of store. */
export function testCommand(): Command {
  return stashCommand('test')
    .description('a round trip of every kind of store, in a tenant of its own that is deleted afterwards')
    .addOption(isolationOption())
    .action(test)
}

async function test(flags: StashFlags): Promise<void> {
  const { signal } = interruption()
  const report = await withStash(flags, (stash) => selfTest(stash, signal))
  if (report.isStopped) throw new StoppedError(`before the end. ${leftOf(report)}`)
  if (!report.isOk) process.exitCode = failed
  print(flags.json, report, screenOf(report))
}

function leftOf({ steps }: SelfTestReport): string {
  return steps.at(-1)?.problem ?? 'Nothing of it is left.'
}

function screenOf({ isOk, steps }: SelfTestReport): string {
  const wrong = steps.filter((step) => !step.isOk).length
  const end = isOk
    ? paint('green', 'All is well, and nothing is left behind.')
    : paint('red', `${wrong} of ${steps.length} went wrong.`)
  return [...steps.map(lineOf), '', end].join('\n')
}

function lineOf({ store, step, isOk, ms, problem, leftOut }: SelfTestStep): string {
  if (leftOut !== undefined)
    return `${paint('yellow', 'skip')}  ${store.padEnd(11)}  ${step.padEnd(40)}  left out\n      ${printable(leftOut)}`
  const mark = isOk ? paint('green', 'ok  ') : paint('red', 'FAIL')
  const line = `${mark}  ${store.padEnd(11)}  ${step.padEnd(40)}  ${milliseconds(ms).padStart(10)}`
  return problem === undefined ? line : `${line}\n      ${printable(problem)}`
}
