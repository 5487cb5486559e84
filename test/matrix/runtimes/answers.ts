/** What each script prints, wherever it runs. */
export const entries = {
  get: { count: 1, text: 'ü', list: [null, 1.5] },
  set: true,
  add: [false, true],
  compareAndSet: false,
  bytes: [0, 255],
  increments: [7, 14, 21],
  touch: [true, true],
  take: [1, null],
  has: [true, false],
  coalesced: [true, true, true],
  keys: Array.from({ length: 10 }, (_, at) => `k99${at}`),
  deleteByPrefix: 1_000,
  delete: [true, false],
  clear: false,
  swept: true,
  metrics: true,
}

const threeOfFive = [true, true, true, false, false]
const headers = ['RateLimit-Policy', 'RateLimit', 'Retry-After']

export const limits = {
  session: 'ada',
  list: 2,
  others: 1,
  left: ['s1'],
  ...Object.fromEntries(
    ['fixed-window', 'sliding-window', 'gcra'].flatMap((algorithm) => [
      [algorithm, threeOfFive],
      [`${algorithm} headers`, headers],
      [`${algorithm} reset`, 3],
    ]),
  ),
  logins: [true, false],
}

export const hosts = {
  keyv: [{ name: 'Ada' }, null, true, false],
  cacheManager: ['made', 'made'],
  express: ['1', '2', '3', 429],
  prometheus: true,
}

const notSent = { isOurs: true, outcome: 'not-sent' }

export const bad = {
  refused: { ...notSent, code: 'ERR_PGSTASH_CONNECTION' },
  // Who never answers gave no connection: nothing was sent there either.
  silent: { ...notSent, code: 'ERR_PGSTASH_CONNECTION' },
  aborted: { ...notSent, code: 'ERR_PGSTASH_ABORTED' },
  invalid: { isOurs: true, code: 'ERR_PGSTASH_UNSERIALISABLE_VALUE' },
  afterLostConnection: { answer: 1 },
  closed: { isOurs: true, code: 'ERR_PGSTASH_CLOSED' },
}
