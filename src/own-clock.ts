import { performance } from 'node:perf_hooks'
import timers from 'node:timers'

/*
 * Fake timers (jest, vitest, sinon) replace process.nextTick, setTimeout and performance.now for a while, in the middle of the process and also inside
 * Node's modules; what was handed to them is never called once they are gone. So a stash holds on to what stood there when it was loaded, and supposes
 * nothing of it where that was a fake already.
 */

const { nextTick } = process
const { setTimeout: setTimer, clearTimeout: clearTimer } = timers

/** Of the prototype, for fakes put theirs on the object. Bun has it on the object alone. */
const realNow = (Object.getPrototypeOf(performance) as Partial<typeof performance>).now ?? performance.now

/** Milliseconds that only go forward, at the pace of the machine. */
export function now(): number {
  return realNow.call(performance)
}

/** Not a method of the global at the time of the call: that may be a fake by then. */
const realWall = Date.now

/** A bound one costs three quarters of a `call`: a hit in memory asks it each time. */
const boundNow = realNow.bind(performance)

/** What the two clocks said last, and for how long the machine has slept. An array of doubles: numbers of a module would be boxed at each call. */
const seen = new Float64Array(3)
const ofTicks = 0
const ofWall = 1
const slept = 2

/** The wall clock comes in whole milliseconds; less than this is no sleep. */
const shortestSleepMs = 2

/**
 * As {@link now}, and on while a suspended machine sleeps, when the clock of {@link now} stands still: what the wall clock has gained over it since the last look counts as
 * slept. A wall clock that is set forward counts too, one that is set back does not.
 */
export function wakingNow(): number {
  const ticks = boundNow()
  const wall = realWall()
  const gained = wall - (seen[ofWall] as number) - (ticks - (seen[ofTicks] as number))
  if (gained > shortestSleepMs && seen[ofWall] !== 0) seen[slept] = (seen[slept] as number) + gained
  seen[ofTicks] = ticks
  seen[ofWall] = wall
  return ticks + (seen[slept] as number)
}

/** As soon as the code now running returns; once, and never where only fakes were to be had. */
export function soon(work: () => void): void {
  if (process.nextTick === nextTick) {
    nextTick(work)
    return
  }
  let isDone = false
  const once = () => {
    if (isDone) return
    isDone = true
    work()
  }
  nextTick(once)
  process.nextTick(once)
}

let seenTick = nextTick
let epoch = 0

/** Another number than before: fake timers came or went, and what was scheduled between may be lost. */
export function tickEpoch(): number {
  if (process.nextTick !== seenTick) {
    seenTick = process.nextTick
    epoch += 1
  }
  return epoch
}

/** What is scheduled now, by Node's own modules too, may be lost. */
export function areTicksFake(): boolean {
  return process.nextTick !== nextTick
}

/** Node's timers count in 32 bits; what does not fit would be over at once. */
export const longestTimerMs = 2 ** 31 - 1

/**
 * Calls once after so many milliseconds; never where only fakes were to be had.
 * @param keepsAlive whether the process stays for it
 * @returns stops it
 */
export function startTimer(work: () => void, ms: number, keepsAlive = false): () => void {
  const own = setTimer(work, ms)
  if (isOfNode(own)) {
    if (!keepsAlive) own.unref()
    return () => clearTimer(own)
  }
  clearTimer(own)
  const { setTimeout, clearTimeout } = globalThis
  const timer: Partial<NodeJS.Timeout> | number = setTimeout(work, ms)
  // A browser's, or a fake of one, is a number.
  if (!keepsAlive && typeof timer === 'object') timer.unref?.()
  return () => clearTimeout(timer as NodeJS.Timeout)
}

function isOfNode(timer: unknown): boolean {
  return (timer as object | undefined)?.constructor?.name === 'Timeout'
}
