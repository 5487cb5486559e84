import { afterEach, expect, it, vi } from 'vitest'

const real = Date.now

afterEach(() => {
  Date.now = real
  vi.resetModules()
})

it('goes on while the machine sleeps, and not back where the day is set back', async () => {
  let day = real()
  vi.resetModules()
  Date.now = () => day
  const { wakingNow } = await import('../src/own-clock')
  const then = wakingNow()
  // A suspended machine: nothing passes but the time of day.
  day += 60_000
  expect(wakingNow() - then).toBeGreaterThan(59_999)
  day -= 120_000
  expect(wakingNow() - then).toBeGreaterThan(59_999)
  expect(wakingNow() - then).toBeLessThan(70_000)
})
