import { expect, it } from 'vitest'
import { describePostgres } from '../../support/bodies'

describePostgres('the end of a prefix', (body) => {
  it('is the first text behind all that begin with it', async () => {
    const stash = body.open()
    await stash.ready()
    const pairs = [
      ['a', 'b'],
      ['user:', 'user;'],
      ['#sha256:', '#sha256;'],
      ['a\u{10ffff}', 'b'],
      ['\ud7ff', '\ue000'],
      ['🙂', '🙃'],
      ['\x7f', '\x80'],
      ['\u{10ffff}', null],
      ['', null],
    ]
    for (const [prefix, end] of pairs) {
      expect([prefix, (await body.sql(`select ${stash.schema}.prefix_end('${prefix}')`))[0]?.[0]]).toEqual([
        prefix,
        end,
      ])
    }
  })
})
