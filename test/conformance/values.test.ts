import fc from 'fast-check'
import { beforeAll, expect, it } from 'vitest'
import type { Cache } from '../../src/stash/entries/cache'
import { describeEveryBody } from '../support/bodies'
import { rounds } from '../support/depth'

describeEveryBody('values', (body) => {
  let cache: Cache

  beforeAll(() => {
    cache = body.open().namespace('values')
  })

  const roundTrip = async (value: unknown) => {
    await cache.set('v', value)
    return cache.get('v')
  }

  it('come back as they were: every kind', async () => {
    const values = [
      null,
      true,
      false,
      0,
      5,
      -5,
      1.5,
      1e300,
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      2 ** 60,
      '',
      '5',
      'null',
      '"',
      "'",
      '\\',
      '{"a":1}',
      '\u{1f642} é \n\t',
      '\0',
      'a\0b',
      '\ud800',
      '\u2028',
      {},
      [],
      { a: [1, { b: null }] },
      { 'k\0': '\0' },
      [undefined].map((v) => v ?? null),
    ]
    for (const value of values) expect(await roundTrip(value)).toEqual(value)
    await cache.setMany(values.map((value, at) => ({ key: `v${at}`, value })))
    expect(await cache.getMany(values.map((_, at) => `v${at}`))).toEqual(values)
  })

  it('come back as Buffers where they are bytes', async () => {
    const bytes = Buffer.from(Array.from({ length: 256 }, (_, at) => at))
    for (const value of [bytes, new Uint8Array(bytes), bytes.subarray(10, 20), Buffer.alloc(0)]) {
      const found = await roundTrip(value)
      expect(Buffer.isBuffer(found) && found.equals(value)).toBe(true)
    }
  })

  it('come back as JSON makes them, where that differs', async () => {
    expect(await roundTrip(new Date(0))).toBe('1970-01-01T00:00:00.000Z')
    expect(await roundTrip({ a: undefined, b: 1 })).toEqual({ b: 1 })
    expect(await roundTrip([undefined])).toEqual([null])
    expect(await roundTrip({ toJSON: () => 'own' })).toBe('own')
  })

  it('come back whole, any JSON and any text', async () => {
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.jsonValue(), fc.string({ unit: 'binary' })), async (value) => {
        expect(JSON.stringify(await roundTrip(value))).toBe(JSON.stringify(value))
      }),
      { numRuns: rounds({ shallow: 40, deep: 200 }) },
    )
  })

  it('come back whole from one statement, whatever control characters they hold', async () => {
    const crowds = [
      ['\x1e', 'a\x1eb', ''],
      ['\x1e', '\x1f', '\x1d', '\x1d\x1e\x1f', '', 'x'],
      ['', ''],
    ]
    for (const values of crowds) {
      await cache.setMany(values.map((value, at) => ({ key: `c${at}`, value })))
      expect(await cache.getMany(values.map((_, at) => `c${at}`))).toEqual(values)
    }
    const texts = fc.array(fc.string({ unit: 'binary' }), { minLength: 2, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(texts, async (values) => {
        await cache.setMany(values.map((value, at) => ({ key: `p${at}`, value })))
        expect(await cache.getMany(values.map((_, at) => `p${at}`))).toEqual(values)
      }),
      { numRuns: rounds({ shallow: 20, deep: 100 }) },
    )
  })

  it('may be 10 MB, and many', { timeout: 120_000 }, async () => {
    const text = 'é"\\\n'.repeat(2_000_000)
    expect((await roundTrip(text)) === text).toBe(true)
    const bytes = Buffer.alloc(10_000_000, 'x')
    expect(bytes.equals((await roundTrip(bytes)) as Buffer)).toBe(true)
    const nested = { list: Array.from({ length: 200_000 }, (_, at) => ({ at, text: 'some text' })) }
    expect(JSON.stringify(await roundTrip(nested)) === JSON.stringify(nested)).toBe(true)
  })

  it('travel in batches of 10,000 keys', { timeout: 120_000 }, async () => {
    const entries = Array.from({ length: 10_000 }, (_, at) => ({ key: `k${at}`, value: { at } }))
    expect(await cache.setMany(entries)).toHaveLength(10_000)
    expect(await cache.getMany(entries.map(({ key }) => key))).toEqual(entries.map(({ value }) => value))
    expect(await cache.deleteMany(entries.map(({ key }) => key))).toEqual(entries.map(() => true))
  })
})
