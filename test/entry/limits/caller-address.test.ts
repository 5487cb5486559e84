import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { addressKey } from '../../../src/stash/limits/address-key'

/** Each line is one caller, however it is written. */
const sameCaller: Readonly<Record<string, readonly string[]>> = {
  '1.2.3.4': [
    '1.2.3.4',
    ' 1.2.3.4 ',
    '001.002.003.004',
    '1.2.3.4:5678',
    '::ffff:1.2.3.4',
    '::FFFF:1.2.3.4',
    '::ffff:102:304',
    '0:0:0:0:0:ffff:0102:0304',
    '0000:0000:0000:0000:0000:ffff:1.2.3.4',
    '::ffff:001.002.003.004',
    '[::ffff:1.2.3.4]',
    '[::ffff:1.2.3.4]:5678',
    '::ffff:1.2.3.4%eth0',
    '::1.2.3.4',
    '::102:304',
    '::ffff:0:1.2.3.4',
    '64:ff9b::1.2.3.4',
    '64:ff9b::102:304',
    '2002:102:304::1',
    '2002:0102:0304:ffff:1:2:3:4',
  ],
  '2001:db8:1:ab00::/56': [
    '2001:db8:1:ab00::1',
    '2001:DB8:1:AB00::1',
    '2001:0db8:0001:ab00:0000:0000:0000:0001',
    '2001:db8:1:abff:ffff:ffff:ffff:ffff',
    '2001:db8:1:abcd::1.2.3.4',
    '[2001:db8:1:ab00::1]',
    '[2001:db8:1:ab00::1]:443',
    '2001:db8:1:ab00::%25en0',
  ],
  'fe80::/56': ['fe80::1', 'fe80::1%eth0', 'FE80::1%1', 'fe80::ffff:2'],
  '::/56': ['::', '::1', '0:0:0:0:0:0:0:1', '[::1]:80'],
  unknown: ['unknown', '', '  '],
}

/** Not addresses: each is its own caller. */
const noAddresses = [
  '1.2.3',
  '1.2.3.4.5',
  '1.2.3.256',
  '1.2.3.4/24',
  '0x7f.1',
  '2130706433',
  '2001:db8::1::2',
  '12345::',
  '1.2.3.4, 5.6.7.8',
  '[1.2.3.4',
  '_hidden',
  'example.com',
  'A'.repeat(50_000),
  `fe80::1%${'x'.repeat(200)}`,
]

describe('addressKey', () => {
  it.each(Object.entries(sameCaller))('gives %s for all that it may be written as', (key, spellings) => {
    expect(spellings.filter((ip) => addressKey(ip) !== key)).toEqual([])
  })

  it('leaves what is no address as it is', () => {
    expect(noAddresses.filter((text) => addressKey(text) !== text)).toEqual([])
  })

  it('counts those together who have no address', () => {
    expect([addressKey(undefined), addressKey(null)]).toEqual(['unknown', 'unknown'])
  })

  it('tells networks apart, and addresses of IPv4', () => {
    const keys = [
      '2001:db8:1:aa00::1',
      '2001:db8:1:ab00::1',
      '1.2.3.4',
      '1.2.3.5',
      '2002:102:305::1',
      '64:ff9b::1.2.3.6',
    ]
    expect(keys.map((ip) => addressKey(ip))).toEqual([
      '2001:db8:1:aa00::/56',
      '2001:db8:1:ab00::/56',
      '1.2.3.4',
      '1.2.3.5',
      '1.2.3.5',
      '1.2.3.6',
    ])
  })

  it('cuts where it is told to', () => {
    const cut = (ipv6Subnet: number | false) => addressKey('2001:DB8:1:abcd:1234::00ff', { ipv6Subnet })
    expect([1, 32, 48, 56, 60, 64, 72, 128, false as const].map(cut)).toEqual([
      '::/1',
      '2001:db8::/32',
      '2001:db8:1::/48',
      '2001:db8:1:ab00::/56',
      '2001:db8:1:abc0::/60',
      '2001:db8:1:abcd::/64',
      '2001:db8:1:abcd:1200::/72',
      '2001:db8:1:abcd:1234::ff/128',
      '2001:db8:1:abcd:1234::ff',
    ])
    expect(addressKey('::ffff:1.2.3.4', { ipv6Subnet: false })).toBe('1.2.3.4')
  })

  it('gives a key of its own for each network, and the same for its key', () => {
    const group = fc.integer({ min: 0, max: 0xffff })
    fc.assert(
      fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.integer({ min: 1, max: 128 }), (groups, bits) => {
        // Of what providers give out: no IPv4 is within.
        const [first = 0, ...rest] = groups
        const own = [(first & 0x1fff) | 0x2400, ...rest]
        const whole = own.map((part) => part.toString(2).padStart(16, '0')).join('')
        const network = `${whole.slice(0, bits)}${'0'.repeat(128 - bits)}`
        const written = (text: string) =>
          (text.match(/.{16}/g) as string[]).map((part) => Number.parseInt(part, 2).toString(16)).join(':')
        const key = addressKey(written(whole), { ipv6Subnet: bits })
        expect(key).toBe(addressKey(written(network), { ipv6Subnet: bits }))
        const other = `${bits === 1 ? '' : whole.slice(0, bits - 1)}${whole[bits - 1] === '0' ? '1' : '0'}${whole.slice(bits)}`
        if (bits > 3) expect(key).not.toBe(addressKey(written(other), { ipv6Subnet: bits }))
      }),
    )
  })

  it('refuses subnets that are none, options it does not know, and what is no text', () => {
    for (const ipv6Subnet of [0, 129, -1, 56.5, Number.NaN, '56', true, null]) {
      const refusal = expect.objectContaining({ field: 'ipv6Subnet' })
      expect(() => addressKey('::1', { ipv6Subnet: ipv6Subnet as never })).toThrow(refusal)
    }
    expect(() => addressKey('::1', { subnet: 64 } as never)).toThrow(expect.objectContaining({ field: 'options' }))
    expect(() => addressKey(['::1'] as never)).toThrow(expect.objectContaining({ field: 'ip' }))
  })
})
