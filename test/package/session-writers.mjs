import { setImmediate as turn } from 'node:timers/promises'
import { Sessions } from 'pgstash'

/*
 * Two requests at a time add marks to sessions that the same requests of another process write, and log out of some half way. Prints which marks were
 * acknowledged, when each logout was, and the last moment at which a read that saw a session began.
 */

const [connectionString, schema, name, kept, ended, saves] = process.argv.slice(2)
const sessions = new Sessions({ connectionString, schema, lostUpdates: 'reject', timeoutMs: 60_000 })
const acknowledged = {}
const destroyedAt = {}
const seenAt = {}
let conflicts = 0

/** One clock for all processes of a machine. */
const now = () => Number(process.hrtime.bigint() / 1_000n)

async function addMark(id, mark) {
  const began = now()
  const session = await sessions.get(id)
  if (session === undefined) return
  seenAt[id] = Math.max(seenAt[id] ?? 0, began)
  session.marks.push(mark)
  session.cookie = { expires: new Date(Date.now() + 600_000) }
  if (Math.random() < 0.5) await turn()
  try {
    await sessions.set(id, session)
    acknowledged[id] ??= []
    acknowledged[id].push(mark)
  } catch (error) {
    if (error.code !== 'ERR_PGSTASH_VERSION_CONFLICT') throw error
    conflicts += 1
  }
}

async function request(number) {
  for (let save = 0; save < Number(saves); save += 1) {
    const mark = `${name}-${number}-${save}`
    const ids = [...kept.split(','), ...ended.split(',')]
    await Promise.all(ids.map((id) => addMark(id, mark)))
    if (save !== Math.floor(Number(saves) / 2)) continue
    for (const id of ended.split(',')) {
      // Beside a save of the same request.
      const saving = addMark(id, `${mark}-late`)
      await sessions.destroy(id)
      destroyedAt[id] ??= now()
      await saving
    }
  }
}

await Promise.all([request(0), request(1)])
await sessions.close()
console.log(JSON.stringify({ acknowledged, destroyedAt, seenAt, conflicts }))
