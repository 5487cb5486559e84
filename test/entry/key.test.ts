import { describe, expect, it } from 'vitest'
import { indexKey, storedKey } from '../../src/entry/key'

describe('stored keys', () => {
  it('are the keys themselves up to 1,024 bytes, and digests beyond', () => {
    expect(storedKey('a'.repeat(1_024))).toEqual({ key: 'a'.repeat(1_024), longKey: null })
    const long = 'é'.repeat(513)
    expect(storedKey(long)).toEqual({ key: expect.stringMatching(/^#sha256:[0-9a-f]{64}$/), longKey: long })
    expect(indexKey(long)).toBe(storedKey(long).key)
  })

  it('never look like the digest of another', () => {
    const { key: digest } = storedKey('x'.repeat(2_000))
    expect(indexKey(digest)).not.toBe(digest)
  })
})
