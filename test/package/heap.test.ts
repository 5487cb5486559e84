import { describe, expect, inject, it } from 'vitest'
import { runCommand } from '../support/processes'

const callers = 100
const keyBytes = 50_000

/** A few turns of keys, and what a denial is: a kilobyte or two for each caller, whatever he sent. */
const allowed = 1_000_000 + callers * 2_500

describe('the heap', () => {
  it('keeps no long keys of callers, in any store', async () => {
    const script = ['--expose-gc', 'test/package/heap-of-callers.mjs', inject('postgresUrl')]
    const { code, output } = await runCommand(process.execPath, [...script, String(callers), String(keyBytes)])
    expect(code, output).toBe(0)
    const stores = output
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { store: string; grown: number })
    expect(stores.length).toBeGreaterThan(12)
    // 100 keys of 50 kB are 5 MB.
    expect(stores.filter(({ grown }) => grown > allowed)).toEqual([])
  }, 120_000)
})
