import { afterEach, expect, it, vi } from 'vitest'
import { OwnWrites } from '../../../src/postgres/near/own-writes'

const clock = vi.hoisted(() => ({ now: 0 }))
vi.mock('../../../src/own-clock', () => ({ now: () => clock.now }))
afterEach(() => {
  clock.now = 0
})

it('draws numbers of 63 bits that do not repeat, in one process or in two', () => {
  const [a, b] = [new OwnWrites(), new OwnWrites()]
  const drawn = Array.from({ length: 20_000 }, (_, at) => (at % 2 ? a : b).next())
  expect(new Set(drawn).size).toBe(drawn.length)
  const numbers = drawn.map(BigInt)
  expect(numbers.every((number) => number >= 0n && number < 2n ** 63n)).toBe(true)
  // All bits are used, the highest and the lowest too.
  for (const bit of [0n, 31n, 62n]) expect(new Set(numbers.map((number) => (number >> bit) & 1n)).size).toBe(2)
})

/** One whose stash holds something near. */
function ownWrites(): OwnWrites {
  const own = new OwnWrites()
  own.stamp = () => 7
  return own
}

it('keeps nothing while nothing is held near', () => {
  const own = new OwnWrites()
  own.acknowledge('1')
  own.stamp = () => 7
  expect(own.acknowledgedAt('1')).toBeUndefined()
})

it('knows a write as its own only once it is acknowledged, and until its row was read', () => {
  const own = ownWrites()
  const nonce = own.next()
  expect(own.acknowledgedAt(nonce)).toBeUndefined()
  own.acknowledge(nonce)
  expect(own.acknowledgedAt(nonce)).toBe(7)
  own.forget(nonce)
  expect(own.acknowledgedAt(nonce)).toBeUndefined()
})

it('knows it for a minute at least, and not for ever', () => {
  const own = ownWrites()
  own.acknowledge('1')
  clock.now = 59_000
  own.acknowledge('2')
  clock.now = 61_000
  own.acknowledge('3')
  expect(['1', '2', '3'].map((nonce) => own.acknowledgedAt(nonce) === 7)).toEqual([true, true, true])
  own.forget('1')
  clock.now = 122_000
  own.acknowledge('4')
  expect(['1', '2', '3', '4'].map((nonce) => own.acknowledgedAt(nonce) === 7)).toEqual([false, false, true, true])
})

it('holds no more than so many, of a process whose log is never read', () => {
  const own = ownWrites()
  for (let at = 0; at < 300_000; at += 1) own.acknowledge(String(at))
  const known = Array.from({ length: 300_000 }, (_, at) => own.acknowledgedAt(String(at))).filter(Boolean).length
  expect(known).toBeLessThanOrEqual(200_000)
  expect(own.acknowledgedAt('299999')).toBe(7)
})
