import { expect, it } from 'vitest'
import { describePostgres } from '../../support/bodies'
import { warmed } from './warmed'

/** Longer than the test takes: what is seen within it was rung for. */
const never = 60_000

describePostgres('a process that holds nothing near', (body) => {
  it('rings for those who do', async () => {
    const reader = body.open({ near: { pollMs: never, maxStalenessMs: never } })
    const writer = body.open({ schema: reader.schema })
    const held = reader.namespace('views', { near: true })
    await held.set('home', 1)
    await warmed(reader, held, 'home')
    await expect.poll(() => reader.near.stats().isListening, { timeout: 10_000 }).toBe(true)
    for (const value of [2, 3]) {
      await writer.namespace('views').set('home', value)
      await expect.poll(() => held.get('home'), { timeout: 10_000, interval: 5 }).toBe(value)
    }
    await writer.close()
    await reader.close()
  })

  it('is told which option of a read there is not, where it would be answered from memory', async () => {
    const stash = body.open()
    const held = stash.namespace('views', { near: true })
    await held.set('home', 1)
    await warmed(stash, held, 'home')
    const misspelt = { Fresh: true } as never
    await expect(held.get('home', misspelt)).rejects.toThrow('options has no "Fresh"')
    await expect(held.getMany(['home'], misspelt)).rejects.toThrow('options has no "Fresh"')
  })
})
