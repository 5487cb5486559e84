import { beforeAll, describe, expect, it } from 'vitest'
import { LoginLimiter, type LoginLimiterOptions } from '../../../src/stash/limits/login-limiter'
import { rateLimitHeaders } from '../../../src/stash/limits/result'
import type { PgStash } from '../../../src/stash/pg-stash'
import { describeBodies } from '../../support/bodies'
import { sleep } from '../../support/sleep'

for (const isolation of ['column', 'rls'] as const) {
  describeBodies(`LoginLimiter, tenants apart by ${isolation}`, (body) => {
    let stash: PgStash
    let names = 0

    beforeAll(async () => {
      stash = isolation === 'rls' ? await body.openIsolated() : body.open()
      await stash.ready()
    })

    const limiterOf = (options: LoginLimiterOptions = {}) => {
      names += 1
      return new LoginLimiter({ stash, name: `login-${names}`, ...options })
    }
    const home = '192.0.2.1'

    it('denies the sixth failed attempt, for fifteen minutes', async () => {
      const logins = limiterOf()
      const attempts = []
      for (let attempt = 0; attempt < 6; attempt += 1) attempts.push(await logins.begin({ username: 'ada', ip: home }))
      expect(attempts.map(({ isAllowed }) => isAllowed)).toEqual([true, true, true, true, true, false])
      expect(attempts[5]).toMatchObject({ isBlocked: true })
      expect(rateLimitHeaders(attempts[5] as never)).toMatchObject({ 'Retry-After': '900' })
      expect((await logins.peek({ username: 'ada', ip: home })).isAllowed).toBe(false)
    })

    it('counts by user name, wherever the attempts come from', async () => {
      const logins = limiterOf()
      for (let attempt = 0; attempt < 5; attempt += 1) {
        expect((await logins.begin({ username: 'ada', ip: `192.0.2.${attempt}` })).isAllowed).toBe(true)
      }
      expect((await logins.begin({ username: 'ada', ip: '192.0.2.99' })).isAllowed).toBe(false)
      expect((await logins.begin({ username: 'grace', ip: '192.0.2.99' })).isAllowed).toBe(true)
    })

    it('counts by address, whatever the user name', async () => {
      const logins = limiterOf()
      for (const username of ['a', 'b', 'c', 'd', 'e']) {
        expect((await logins.begin({ username, ip: home })).isAllowed).toBe(true)
      }
      expect((await logins.begin({ username: 'f', ip: home })).isAllowed).toBe(false)
      expect((await logins.begin({ username: 'f', ip: '192.0.2.2' })).isAllowed).toBe(true)
    })

    it('counts a network of IPv6 as one address, and an address however it is written', async () => {
      const logins = limiterOf()
      const guesses = await Promise.all(
        Array.from({ length: 200 }, (_, at) => logins.begin({ username: `user-${at}`, ip: `2001:db8::${at + 1}` })),
      )
      expect(guesses.filter(({ isAllowed }) => isAllowed)).toHaveLength(5)
      for (const [at, ip] of [
        '1.2.3.4',
        '::ffff:1.2.3.4',
        '::ffff:102:304',
        '1.2.3.4:99',
        '[::FFFF:1.2.3.4]',
      ].entries()) {
        expect((await logins.begin({ username: `other-${at}`, ip })).isAllowed).toBe(true)
      }
      expect((await logins.begin({ username: 'last', ip: '1.2.3.4' })).isAllowed).toBe(false)
      expect(await logins.peek({ username: 'last', ip: '::ffff:1.2.3.4' })).toMatchObject({ isAllowed: false })
      await logins.reset({ ip: '0:0:0:0:0:ffff:102:304' })
      expect((await logins.begin({ username: 'last', ip: '1.2.3.4' })).isAllowed).toBe(true)
    })

    it('gives an attempt back to the network it came from', async () => {
      const logins = limiterOf({ attempts: 2 })
      for (let login = 0; login < 6; login += 1) {
        const attempt = await logins.begin({ username: 'ada', ip: `2001:db8::${login + 1}` })
        expect(attempt.isAllowed).toBe(true)
        await attempt.succeed()
      }
    })

    it('tells networks apart where the application says so', async () => {
      const logins = limiterOf({ attempts: 1, ipv6Subnet: 64 })
      const every = limiterOf({ attempts: 1, ipv6Subnet: false })
      const allowed = async (limiter: LoginLimiter, username: string, ip: string) =>
        (await limiter.begin({ username, ip })).isAllowed
      expect(await allowed(logins, 'a', '2001:db8:0:1::1')).toBe(true)
      expect(await allowed(logins, 'b', '2001:db8:0:2::1')).toBe(true)
      expect(await allowed(logins, 'c', '2001:db8:0:2::2')).toBe(false)
      expect(await allowed(every, 'a', '2001:db8::1')).toBe(true)
      expect(await allowed(every, 'b', '2001:db8::2')).toBe(true)
      expect(await allowed(every, 'c', '2001:DB8::0002')).toBe(false)
    })

    it('counts any user name, also what no database stores', async () => {
      const logins = limiterOf({ attempts: 1 })
      const names = ['a\0', 'a\0b', '\ud800', '\udc00\ud800', 'a\\u0000', 'é', '\ufffd', 'x'.repeat(50_000), '"', '\\']
      const answers: boolean[] = []
      for (const [at, username] of names.entries()) {
        const caller = { username, ip: `192.0.2.${at}` }
        answers.push((await logins.begin(caller)).isAllowed, (await logins.begin({ ...caller, ip: home })).isAllowed)
        await logins.reset({ ip: home })
      }
      expect(answers).toEqual(names.flatMap(() => [true, false]))
      for (const [at, username] of names.entries()) {
        await logins.reset({ username, ip: `192.0.2.${at}` })
        const attempt = await logins.begin({ username, ip: `192.0.2.${at}` })
        expect(attempt.isAllowed).toBe(true)
        await attempt.succeed()
        expect((await logins.peek({ username, ip: `192.0.2.${at}` })).limits.map(({ used }) => used)).toEqual([0, 0, 0])
      }
    })

    it('forgets with a user all addresses he tried from, and nobody whose name begins like his', async () => {
      const logins = limiterOf({ limits: { username: false, ip: false, usernameAndIp: 1 } })
      const names = ['é', 'é\0', 'é" at 192.0.2.1']
      for (const username of names) for (const ip of ['192.0.2.1', '2001:db8::1']) await logins.begin({ username, ip })
      await logins.reset({ username: 'é' })
      const standing = names.map((username) => logins.peek({ username, ip: '2001:db8::2' }))
      expect((await Promise.all(standing)).map(({ isAllowed }) => isAllowed)).toEqual([true, false, false])
    })

    it('counts those together whose address nobody knows', async () => {
      const logins = limiterOf({ attempts: 2 })
      const answers = []
      for (const [at, ip] of [undefined, 'unknown', undefined].entries()) {
        answers.push((await logins.begin({ username: `user-${at}`, ip })).isAllowed)
      }
      expect(answers).toEqual([true, true, false])
    })

    it('gives back an attempt that succeeds, and forgives the user those before', async () => {
      const logins = limiterOf()
      for (let day = 0; day < 4; day += 1) {
        for (let attempt = 0; attempt < 3; attempt += 1) {
          // Of another address each day: that one is forgiven nothing.
          expect((await logins.begin({ username: 'ada', ip: `192.0.2.${day}` })).isAllowed).toBe(true)
        }
        const right = await logins.begin({ username: 'ada', ip: `192.0.2.${day}` })
        expect(right.isAllowed).toBe(true)
        await right.succeed()
      }
      const { limits } = await logins.peek({ username: 'ada', ip: '192.0.2.0' })
      expect(limits.map(({ used }) => used)).toEqual([0, 0, 3])
    })

    it('never counts those who get it right', async () => {
      const logins = limiterOf()
      for (let login = 0; login < 20; login += 1) {
        const attempt = await logins.begin({ username: 'ada', ip: home })
        expect(attempt.isAllowed).toBe(true)
        await attempt.succeed()
      }
    })

    it('blocks no address behind which everybody got it right, however many at once', async () => {
      const logins = limiterOf()
      const users = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']
      const attempts = await Promise.all(users.map((username) => logins.begin({ username, ip: home })))
      expect(attempts.filter(({ isAllowed }) => isAllowed)).toHaveLength(5)
      await Promise.all(attempts.map((attempt) => attempt.succeed()))
      expect(await logins.peek({ username: 'i', ip: home })).toMatchObject({ isAllowed: true, strikes: 0 })
      expect((await logins.begin({ username: 'i', ip: home })).isAllowed).toBe(true)
    })

    it('blocks no limit that still has room, when several attempts travel together', async () => {
      const logins = limiterOf({ limits: { username: 5, usernameAndIp: false, ip: 7 } })
      for (let attempt = 0; attempt < 4; attempt += 1) await logins.begin({ username: 'ada', ip: home })
      await logins.begin({ username: 'grace', ip: home })
      const attempts = await Promise.all([1, 2, 3].map(() => logins.begin({ username: 'ada', ip: home })))
      expect(attempts.map(({ isAllowed }) => isAllowed)).toEqual([true, false, false])
      expect((await logins.begin({ username: 'joan', ip: home })).isAllowed).toBe(true)
    })

    it('tells a block that is extended of every denial', async () => {
      const logins = limiterOf({ attempts: 1, block: { blockMs: 1_000, isExtended: true } })
      const strikes = []
      for (let attempt = 0; attempt < 4; attempt += 1)
        strikes.push((await logins.begin({ username: 'ada', ip: home })).strikes)
      expect(strikes).toEqual([0, 1, 2, 3])
    })

    it('keeps a block that failures have earned, whoever else succeeds', async () => {
      const logins = limiterOf()
      const own = await logins.begin({ username: 'own', ip: home })
      for (const username of ['a', 'b', 'c', 'd']) await logins.begin({ username, ip: home })
      await own.succeed()
      expect((await logins.begin({ username: 'e', ip: home })).isAllowed).toBe(true)
      expect((await logins.begin({ username: 'f', ip: home })).isAllowed).toBe(false)
      expect(await logins.peek({ username: 'g', ip: home })).toMatchObject({
        isAllowed: false,
        isBlocked: true,
        remaining: 0,
      })
    })

    it('lets a thousand guesses at once be no way around the limit', async () => {
      const logins = limiterOf({ limits: { ip: false } })
      const guesses = await Promise.all(
        Array.from({ length: 1_000 }, (_, at) => logins.begin({ username: 'ada', ip: `192.0.2.${at % 200}` })),
      )
      expect(guesses.filter(({ isAllowed }) => isAllowed)).toHaveLength(5)
    })

    it('blocks longer each time', async () => {
      const block = { blockMs: 200, maxBlockMs: 2_000, forgetMs: 60_000 }
      const logins = limiterOf({ attempts: 1, windowMs: 50, block, denyCache: false })
      const waits = []
      for (let round = 0; round < 3; round += 1) {
        let attempt = await logins.begin({ username: 'ada', ip: home })
        while (attempt.isAllowed) attempt = await logins.begin({ username: 'ada', ip: home })
        waits.push(attempt.retryAfterMs)
        await sleep(attempt.retryAfterMs + 5)
      }
      expect(waits.map((wait) => Math.round(wait / 100) * 100)).toEqual([200, 400, 800])
    })

    it('keeps tenants apart, and is reset by support', async () => {
      const logins = limiterOf({ tenant: 'acme', attempts: 1 })
      const other = new LoginLimiter({ stash, name: `login-${names}`, tenant: 'globex', attempts: 1 })
      const ada = { username: 'ada', ip: home }
      await logins.begin(ada)
      expect((await logins.begin(ada)).isAllowed).toBe(false)
      expect((await other.begin(ada)).isAllowed).toBe(true)
      await logins.reset(ada)
      expect((await logins.begin(ada)).isAllowed).toBe(true)
      await logins.clear()
      expect((await logins.begin(ada)).isAllowed).toBe(true)
    })

    it('is reset for a user, or for an address, alone', async () => {
      const logins = limiterOf({ attempts: 1 })
      const ada = { username: 'ada', ip: home }
      await logins.begin(ada)
      await logins.reset({ username: 'ada' })
      // Where she sits, her address still is what others have made of it.
      expect((await logins.peek(ada)).limits.map(({ used }) => used)).toEqual([0, 0, 1])
      expect((await logins.begin({ ...ada, ip: '192.0.2.7' })).isAllowed).toBe(true)
      expect((await logins.begin({ username: 'grace', ip: home })).isAllowed).toBe(false)
      await logins.reset({ ip: home })
      expect((await logins.begin({ username: 'grace', ip: home })).isAllowed).toBe(true)
      await expect(logins.reset({})).rejects.toMatchObject({ field: 'username or ip' })
    })
  })
}

describe('bad input of the login limiter', () => {
  const connectionString = 'postgres://nowhere.invalid'

  it('names what is wrong', async () => {
    const logins = new LoginLimiter({ connectionString })
    await expect(logins.begin({ username: '', ip: 'x' })).rejects.toMatchObject({ field: 'username' })
    await expect(logins.begin({ username: 'x', ip: '' })).rejects.toMatchObject({ field: 'ip' })
    await expect(logins.begin({} as never)).rejects.toMatchObject({ field: 'username' })
    await logins.close()
    const limits = { username: false, usernameAndIp: false, ip: false } as const
    expect(() => new LoginLimiter({ connectionString, limits })).toThrow(expect.objectContaining({ field: 'limits' }))
    expect(() => new LoginLimiter({ connectionString, limits: { IP: 5 } } as never)).toThrow(
      expect.objectContaining({ field: 'limits' }),
    )
    expect(() => new LoginLimiter({ connectionString, limit: 5 } as never)).toThrow(
      expect.objectContaining({ field: 'options' }),
    )
    expect(() => new (LoginLimiter as never as new () => unknown)()).toThrow(
      expect.objectContaining({ field: 'options' }),
    )
    for (const ipv6Subnet of [0, 129, 1.5, Number.NaN, '64', true]) {
      expect(() => new LoginLimiter({ connectionString, ipv6Subnet: ipv6Subnet as never })).toThrow(
        expect.objectContaining({ field: 'ipv6Subnet' }),
      )
    }
    expect(() => new LoginLimiter({ connectionString, attempts: -1 })).toThrow(
      expect.objectContaining({ field: 'attempts' }),
    )
  })
})
