import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { callerText, countedKey, spelledText } from '../../../src/entry/limits/counted-key'

/** Any sequence of UTF-16 units, with many of those that the spelling is about. */
const texts = fc
  .array(fc.oneof(fc.constantFrom('\\', 'u', '0', '\0', '\ud800', '\udc00', 'é', '😀', 'a'), fc.string()), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''))

const read = (spelled: string) =>
  spelled.replace(/\\u([0-9a-f]{4})/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))

describe('the key of a counter', () => {
  it('leaves ordinary keys as they are', () => {
    for (const key of ['', '127.0.0.1', 'ada@example.org', 'a b~', '%40', '#'])
      expect(countedKey(key)).toEqual({ key, longKey: null })
  })

  it('is spelled in printable ASCII, and reads back as what it was: no two texts have one key', () => {
    fc.assert(
      fc.property(texts, (text) => {
        const spelled = spelledText(text)
        expect(spelled).toMatch(/^[ -~]*$/)
        expect(read(spelled)).toBe(text)
      }),
    )
  })

  it('begins as the beginning of the text is spelled', () => {
    fc.assert(fc.property(texts, texts, (a, b) => spelledText(a + b) === spelledText(a) + spelledText(b)))
  })

  it('goes by digest where it is long', () => {
    const { key, longKey } = countedKey('é'.repeat(50_000))
    expect(key).toMatch(/^#sha256:[0-9a-f]{64}$/)
    expect(longKey).toBe('\\u00e9'.repeat(50_000))
  })

  it.each([
    ['a number', 42, '42'],
    ['-0', -0, '0'],
    ['NaN', Number.NaN, 'NaN'],
    ['undefined', undefined, 'undefined'],
    ['null', null, 'null'],
    ['a boolean', true, 'true'],
    ['a bigint', 7n, '7'],
    ['a symbol', Symbol('x'), 'Symbol(x)'],
    ['a list', ['42'], '42'],
    ['an object', {}, '[object Object]'],
    ['an object without text', Object.create(null), '[object Object]'],
    [
      'an object that throws',
      {
        toString() {
          throw new Error('no')
        },
      },
      '[object Object]',
    ],
  ])('counts %s', (_, key, text) => {
    expect(callerText(key)).toBe(text)
  })
})
