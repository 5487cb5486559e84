import { type StackName, stackNames } from '../app/stores/stack'
import { AppProcess } from '../contestants/app-process'
import { Visitors } from '../contestants/visitors'
import { type Figure, figureOf, spreadOf } from '../measuring/measure'
import { ServerCpu } from '../measuring/server-cpu'
import type { Settings } from '../measuring/settings'
import type { Line } from './comparison'

const connections = 32
/** A turn is so many of the others': it takes a process a while to be at its pace. */
const longer = 2

interface Contestant {
  readonly name: string
  readonly app: AppProcess
  readonly crowd: Visitors
}

/** An Express app with a limit, a session and a cache, on each of its stacks, in turns. */
export async function app(settings: Settings): Promise<Line> {
  const server = await ServerCpu.open(settings)
  const contestants = await open(settings, server.seesRedis)
  try {
    const turnMs = longer * settings.turnMs
    for (const { crowd } of contestants) await crowd.visit(turnMs)
    const taken = new Map<string, Figure[]>(contestants.map(({ name }) => [name, []]))
    for (let turn = 0; turn < settings.turns; turn += 1)
      for (const one of contestants) taken.get(one.name)?.push(await measure(one, server, turnMs))
    const figures = Object.fromEntries([...taken].map(([name, turns]) => [name, spreadOf(turns)]))
    return { work: 'app', bytes: 300, callers: connections, storage: 'logged', figures }
  } finally {
    await server.close()
    for (const { crowd, app } of contestants) {
      crowd.close()
      await app.close()
    }
  }
}

async function measure({ app, crowd }: Contestant, server: ServerCpu, turnMs: number): Promise<Figure> {
  const servers = await server.start()
  const stop = await app.start()
  const started = performance.now()
  const latencies = await crowd.visit(turnMs)
  const tookMs = performance.now() - started
  const spent = await stop()
  return figureOf(latencies, tookMs, { ...spent, serverUs: await servers() })
}

async function open(settings: Settings, hasRedis: boolean): Promise<Contestant[]> {
  const { databaseUrl, redisUrl, against } = settings
  const stacks: { name: string; stack: StackName; dist?: string }[] = stackNames
    .filter((stack) => hasRedis || stack !== 'Redis stores')
    .map((stack) => ({ name: stack, stack }))
  if (against !== undefined) stacks.push({ name: 'pgstash, earlier', stack: 'pgstash', dist: against })
  const opened: Contestant[] = []
  for (const { name, stack, dist } of stacks) {
    const app = await AppProcess.open(stack, { databaseUrl, redisUrl, dist })
    opened.push({ name, app, crowd: await Visitors.open(app.port, connections) })
  }
  return opened
}
