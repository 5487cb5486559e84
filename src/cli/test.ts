import type { Command } from 'commander'
import { type SelfTestReport, type SelfTestStep, selfTest } from '../stash/self-test'
import { failed } from './failure'
import { milliseconds } from './quantity'
import { isolationOption, type StashFlags, stashCommand, withStash } from './stash-command'
import { paint, print, printable } from './terminal'

/** `pgstash test`: a round trip of every kind of store. */
export function testCommand(): Command {
  return stashCommand('test')
    .description('a round trip of every kind of store, in a tenant of its own that is deleted afterwards')
    .addOption(isolationOption())
    .action(test)
}

async function test(flags: StashFlags): Promise<void> {
  const report = await withStash(flags, selfTest)
  if (!report.isOk) process.exitCode = failed
  print(flags.json, report, screenOf(report))
}

function screenOf({ isOk, steps }: SelfTestReport): string {
  const wrong = steps.filter((step) => !step.isOk).length
  const end = isOk
    ? paint('green', 'All is well, and nothing is left behind.')
    : paint('red', `${wrong} of ${steps.length} went wrong.`)
  return [...steps.map(lineOf), '', end].join('\n')
}

function lineOf({ store, step, isOk, ms, problem }: SelfTestStep): string {
  const mark = isOk ? paint('green', 'ok  ') : paint('red', 'FAIL')
  const line = `${mark}  ${store.padEnd(11)}  ${step.padEnd(40)}  ${milliseconds(ms).padStart(10)}`
  return problem === undefined ? line : `${line}\n      ${printable(problem)}`
}
