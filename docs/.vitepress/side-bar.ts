/** Every page of the site, in the order in which they are read. A page that is missing here fails a test: nobody would find it. */
export const sideBar = [
  {
    text: 'Start',
    items: [
      { text: 'Getting started', link: '/guide/getting-started' },
      { text: 'When not to use it', link: '/guide/when-not' },
      { text: 'Benchmarks', link: '/guide/benchmarks' },
    ],
  },
  {
    text: 'Moving here',
    items: [
      { text: 'From Redis, and from others', link: '/moving/' },
      { text: '@keyv/redis', link: '/moving/keyv-redis' },
      { text: '@keyv/postgres', link: '/moving/keyv-postgres' },
      { text: "cache-manager's Redis stores", link: '/moving/cache-manager' },
      { text: 'connect-redis', link: '/moving/connect-redis' },
      { text: 'connect-pg-simple', link: '/moving/connect-pg-simple' },
      { text: 'rate-limit-redis', link: '/moving/rate-limit-redis' },
      { text: 'rate-limiter-flexible', link: '/moving/rate-limiter-flexible' },
    ],
  },
  {
    text: 'Guide',
    items: [
      { text: 'Entries', link: '/guide/entries' },
      { text: 'Compute once', link: '/guide/compute-once' },
      { text: 'Near cache', link: '/guide/near-cache' },
      { text: 'Versions', link: '/guide/versions' },
      { text: 'Tags', link: '/guide/tags' },
      { text: 'Sessions', link: '/guide/sessions' },
      { text: 'Rate limits', link: '/guide/rate-limits' },
      { text: 'Locks', link: '/guide/locks' },
      { text: 'Tenants', link: '/guide/tenants' },
      { text: 'Durability', link: '/guide/durability' },
      { text: 'How it works', link: '/guide/how-it-works' },
      { text: 'Reasons', link: '/guide/reasons' },
    ],
  },
  {
    text: 'Operations',
    items: [
      { text: 'Running it', link: '/guide/operations' },
      { text: 'Managed PostgreSQL', link: '/guide/managed-postgres' },
      { text: 'Metrics', link: '/guide/metrics' },
      { text: 'Command line', link: '/guide/command-line' },
    ],
  },
  {
    text: 'Reference',
    items: [
      { text: 'Options', link: '/reference/options' },
      { text: 'Errors', link: '/reference/errors' },
      { text: 'What an import costs', link: '/reference/import-costs' },
      { text: 'Supported versions', link: '/reference/supported-versions' },
      { text: 'API', link: '/reference/api/' },
    ],
  },
  {
    text: 'Project',
    items: [
      { text: 'Architecture', link: '/project/architecture' },
      { text: 'Security', link: '/project/security' },
      { text: 'Benchmark, in full', link: '/project/benchmark' },
      { text: 'Changelog', link: '/project/changelog' },
    ],
  },
]
