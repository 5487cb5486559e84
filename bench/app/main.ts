import type { AddressInfo } from 'node:net'
import { countWrites, writesSoFar } from '../measuring/socket-writes'
import type { Answer, Question } from './messages'
import { siteOn } from './site'
import type { Places, Stack, StackName } from './stores/stack'

/** Loaded one by one: a process has the modules of its own stack, as an app would. */
const stacks: Readonly<Record<StackName, (places: Places) => Promise<Stack>>> = {
  pgstash: async (places) => (await import('./stores/own')).ownStores(places),
  'memory stores': async () => (await import('./stores/memory')).memoryStores(),
  'Redis stores': async (places) => (await import('./stores/redis')).redisStores(places),
  'PostgreSQL stores': async (places) => (await import('./stores/postgres')).postgresStores(places),
}

const [name, places] = process.argv.slice(2) as [StackName, string]
countWrites()
const stack = await stacks[name](JSON.parse(places) as Places)
const server = siteOn(stack).listen(0, '127.0.0.1', () => {
  answer({ is: 'listening', port: (server.address() as AddressInfo).port })
})
// Its visitors are away while the other stacks have their turns.
server.keepAliveTimeout = 600_000

let before = countersNow()
process.on('message', async (question: Question) => {
  if (question === 'start') {
    before = countersNow()
    answer({ is: 'started' })
  } else if (question === 'stop') {
    const now = countersNow()
    answer({
      is: 'stopped',
      spent: {
        nodeUs: now.nodeUs - before.nodeUs,
        roundTrips: now.roundTrips - before.roundTrips,
        statements: now.statements - before.statements,
      },
    })
  } else {
    server.close()
    server.closeAllConnections()
    await stack.close()
    answer({ is: 'closed' })
    process.disconnect()
  }
})

// Also where the benchmark ended without a word.
process.on('disconnect', () => process.exit())

function countersNow() {
  const { user, system } = process.cpuUsage()
  return { nodeUs: user + system, roundTrips: writesSoFar(), statements: stack.statements?.() ?? Number.NaN }
}

function answer(said: Answer): void {
  process.send?.(said)
}
