import { beforeEach, describe, expect, it } from 'vitest'
import { addressOf } from '../../../src/coalescing/address'
import type { LogPage, LogRow } from '../../../src/postgres/near/log-page'
import { Coherence, type FoundRow } from '../../../src/stash/near/coherence'
import type { Place } from '../../../src/stash/near/memory'
import { keyDigest, namespaceDigest } from '../../postgres/near/plain-digests'

/** Those that memory tiers over Redis leave open, one by one; the model has them in any order. */
describe('races that others leave open', () => {
  const address = addressOf('acme', 'views')
  const rules = { ttl: 60_000, absentTtl: 0 }
  let now: number
  let acknowledged: Map<string, number>
  let coherence: Coherence
  let place: Place

  const rowOf = (version: number): FoundRow => ({ format: 't', text: `v${version}`, version, leftMs: null })
  const told = (row: FoundRow | undefined) => ({ row, isTold: true })
  const page = (rows: LogRow[], lost?: LogPage['lost']): LogPage => ({
    rows,
    position: { xmax: '1', xip: [], turn: 1, incarnation: 'a' },
    pruned: 0,
    lost,
  })
  const ofKey = (nonce: string | null = null): LogRow => ({ kind: 'k', nonce, digests: [keyDigest(address, 'home')] })
  const ofAll: LogRow = { kind: 'n', nonce: null, digests: [namespaceDigest(address)] }
  const held = () => coherence.find(place, 'home', now)?.kept.value

  beforeEach(() => {
    now = 1_000
    acknowledged = new Map()
    const acknowledgedAt = (nonce: string) => acknowledged.get(nonce)
    const bounds = { maxBytes: 2 ** 20, maxEntries: 100, maxStalenessMs: 1_000 }
    coherence = new Coherence({ ...bounds, now: () => now, acknowledgedAt })
    place = coherence.place(address)
    coherence.apply(page([]), now)
  })

  const fill = (version: number) => {
    const read = coherence.beginRead(place, 'home')
    coherence.answered(read, told(rowOf(version)), rules)
    coherence.endRead(read)
  }

  it('an invalidation between the read of the database and the fill of memory (bentocache, FusionCache, cacheable)', () => {
    const read = coherence.beginRead(place, 'home')
    coherence.apply(page([ofKey()]), now)
    coherence.answered(read, told(rowOf(1)), rules)
    coherence.endRead(read)
    expect(held()).toBeUndefined()
    expect(coherence.counts.discardedFills).toBe(1)
    fill(2)
    expect(held()).toBe('v2')
  })

  it('a flush while answers are under way (node-redis)', () => {
    const read = coherence.beginRead(place, 'home')
    coherence.apply(page([ofAll]), now)
    coherence.answered(read, told(rowOf(1)), rules)
    coherence.endRead(read)
    expect(held()).toBeUndefined()
    const another = coherence.beginRead(place, 'home')
    coherence.apply(page([], 'incarnation'), now)
    coherence.answered(another, told(rowOf(1)), rules)
    coherence.endRead(another)
    expect(held()).toBeUndefined()
  })

  it('a removal by this process while a read that left before it is under way (FusionCache #625)', () => {
    const read = coherence.beginRead(place, 'home')
    const removal = coherence.beginWrite(place, 'home')
    coherence.endWrite(removal)
    coherence.answered(read, told(rowOf(1)), rules)
    coherence.endRead(read)
    expect(held()).toBeUndefined()
  })

  it('messages that were lost while the bus was away (all of them)', () => {
    fill(1)
    now += 999
    expect(held()).toBe('v1')
    // No bell, no poll: memory is silent when the bound is over.
    now += 2
    expect(held()).toBeUndefined()
    // The log has what was missed, and the next look at it tells.
    coherence.apply(page([ofKey()]), now)
    expect(held()).toBeUndefined()
    fill(2)
    // Or so much was missed that rows are gone: all is forgotten.
    coherence.apply(page([], 'pruned'), now)
    expect(held()).toBeUndefined()
    expect(coherence.counts.drops).toEqual({ incarnation: 0, pruned: 1 })
  })

  it('an older answer that comes after a newer one', () => {
    const [older, newer] = [coherence.beginRead(place, 'home'), coherence.beginRead(place, 'home')]
    coherence.answered(newer, told(rowOf(2)), rules)
    coherence.endRead(newer)
    coherence.answered(older, told(rowOf(1)), rules)
    coherence.endRead(older)
    expect(held()).toBe('v2')
  })

  it('a write of which nobody knows whether it was done, and which was done later', () => {
    const write = coherence.beginWrite(place, 'home')
    coherence.endWrite(write)
    fill(1)
    coherence.apply(page([ofKey('7')]), now)
    expect(held()).toBeUndefined()
  })

  it('an own write whose row comes back in the log takes nothing away', () => {
    fill(1)
    const write = coherence.beginWrite(place, 'home')
    acknowledged.set('7', coherence.acknowledge())
    coherence.endWrite(write, rowOf(2), rules)
    coherence.apply(page([ofKey('7')]), now)
    expect(held()).toBe('v2')
  })
})
