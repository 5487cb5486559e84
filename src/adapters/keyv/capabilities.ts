const storageMethods = [
  'get',
  'getMany',
  'has',
  'hasMany',
  'set',
  'setMany',
  'delete',
  'deleteMany',
  'clear',
  'disconnect',
  'iterator',
]

/** What Keyv 6 reads to learn that it may call this store directly, with absolute expiries. */
export const keyv6Capabilities = {
  compatible: true,
  store: 'keyvStorage' as const,
  expires: true,
  methods: Object.fromEntries(storageMethods.map((name) => [name, { exists: true, methodType: 'async' as const }])),
}
