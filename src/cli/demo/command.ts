import type { Command } from 'commander'
import type { PgStashOptions } from '../../stash/options/told'
import type { PgStash } from '../../stash/pg-stash'
import { withTemporaryStash } from '../../stash/temporary-stash'
import { StoppedError } from '../console/failure'
import { address } from '../console/flag-values'
import { milliseconds } from '../console/quantity'
import { interruption, plainCommand } from '../console/stash-command'
import { paint, print } from '../console/terminal'
import { type Chapter, type Scene, story } from './story'

interface DemoFlags {
  readonly url?: string
  readonly json?: boolean
}

interface Told {
  readonly chapter: string
  readonly step: string
  readonly outcome: string
  readonly ms: number
}

/** Where the story plays. */
interface Stage {
  readonly name: string
  readonly options: PgStashOptions
  readonly close: () => Promise<void>
}

/** `pgstash demo`: the main job, told in a page. */
export function demoCommand(): Command {
  return plainCommand('demo')
    .description(
      'the main job, told in a page: on PGlite if that is installed, or in a schema of its own that it drops',
    )
    .option('--url <url>', 'postgres://… (default: PGlite; without it DATABASE_URL, then the PG* variables)', address)
    .action(demo)
}

async function demo({ url, json }: DemoFlags): Promise<void> {
  const stage = await stageOf(url)
  if (!json) print(false, undefined, `pgstash on ${stage.name}`)
  const { signal } = interruption()
  try {
    const steps = await withTemporaryStash(stage.options, 'demo', (stash) => play(stash, json === true, signal))
    print(json, { database: stage.name, steps }, '\nThat is the story. Nothing of it is left.')
  } finally {
    await stage.close()
  }
}

async function stageOf(url: string | undefined): Promise<Stage> {
  const PGlite = url === undefined ? await installedPglite() : undefined
  if (PGlite === undefined) return { name: 'PostgreSQL', options: { connectionString: url }, close: async () => {} }
  const pglite = new PGlite()
  return { name: 'PGlite: PostgreSQL in this process', options: { pglite }, close: () => pglite.close() }
}

/** An optional peer: who has not installed it has a database. */
async function installedPglite() {
  try {
    return (await import('@electric-sql/pglite')).PGlite
  } catch {
    return undefined
  }
}

async function play(stash: PgStash, isJson: boolean, signal: AbortSignal): Promise<Told[]> {
  const told: Told[] = []
  for (const { title, scenes } of story(stash) satisfies Chapter[]) {
    if (!isJson) print(false, undefined, `\n${paint('bold', title)}`)
    for (const scene of scenes) {
      if (signal.aborted) throw new StoppedError('before the end. Nothing of it is left.')
      told.push(await tell(title, scene, isJson))
    }
  }
  return told
}

async function tell(chapter: string, { what, run }: Scene, isJson: boolean): Promise<Told> {
  const started = performance.now()
  const outcome = String(await run())
  const ms = performance.now() - started
  if (!isJson) print(false, undefined, `  ${what.padEnd(46)} ${outcome.padEnd(24)} ${milliseconds(ms).padStart(10)}`)
  return { chapter, step: what, outcome, ms }
}
