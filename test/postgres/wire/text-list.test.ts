import { describe, expect, it } from 'vitest'
import { joinTexts } from '../../../src/postgres/wire/text-list'

describe('joinTexts', () => {
  it('separates by what no text holds', () => {
    for (const texts of [
      ['a', 'b'],
      ['a\x1e', 'b'],
      ['a\x1e', '\x1fb'],
      ['\x1e', '\x1f', '\x1d'],
      ['\x1d\x1e\x1f', '', '\x1f\x1e'],
    ]) {
      const { text, separator } = joinTexts(texts)
      expect(text.split(separator)).toEqual(texts)
    }
  })
})
