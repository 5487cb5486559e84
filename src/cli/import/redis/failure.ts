import { PgStashError } from '../../../errors'
import type { RedisAddress } from './address'

/** Its code when what had been read is no longer the whole: a re-run begins anew. */
export const sourceChanged = 'ERR_PGSTASH_IMPORT_SOURCE_CHANGED'

/** What was read and what is read would be of two states of the source. */
export function changed(name: string, what: string): PgStashError {
  return new PgStashError(
    'IMPORT_SOURCE_CHANGED',
    `${name}: ${what}, so keys may have been missed. Run the same command again when it is done: it begins anew.`,
  )
}

/** What Redis or the way to it said, with what to do next. */
export function toldFailure(address: RedisAddress, error: unknown): PgStashError {
  if (error instanceof PgStashError) return error
  const cause = error instanceof AggregateError ? error.errors[0] : error
  const message = cause instanceof Error ? cause.message || cause.name : String(cause)
  const code = (cause as { code?: unknown }).code
  const text = typeof code === 'string' && !message.includes(code) ? `${message} (${code})` : message
  if (/^(MOVED|ASK|TRYAGAIN|CROSSSLOT|CLUSTERDOWN)\b/.test(text))
    return changed(address.name, `the slots of the cluster are on the move (${text})`)
  const { say } = steps.find(({ on }) => on.test(text)) ?? { say: () => 'Check --from.' }
  const said = `Redis at ${address.name} says: ${text}.`.replace('..', '.')
  return new PgStashError('IMPORT_SOURCE', `${said} ${say(address, text)}`, { cause })
}

interface Step {
  readonly on: RegExp
  readonly say: (address: RedisAddress, text: string) => string
}

/** The first that fits counts. */
const steps: readonly Step[] = [
  { on: /NOPERM/, say: permission },
  {
    on: /^NOAUTH/,
    say: () => 'It wants a password: redis://user:password@host, with % encoding for what is no letter or digit.',
  },
  {
    on: /^WRONGPASS|invalid password/i,
    say: () => 'Check user and password in --from, and their % encoding; the user of a lone password is default.',
  },
  { on: /AUTH.*without any password/, say: () => 'It has no password: leave it out of --from.' },
  { on: /^LOADING/, say: () => 'It is reading its data. Run the same command again in a moment.' },
  { on: /^MASTERDOWN/, say: () => 'It is a replica without its primary: name the primary in --from.' },
  { on: /max number of clients/, say: () => 'Close some of its clients, or raise maxclients.' },
  { on: /^-?DENIED/, say: () => 'Give it a password and name it in --from, or run this on its own machine.' },
  {
    on: /DB index|not allowed in cluster mode|value is not an integer or out of range/,
    say: ({ database }) =>
      `There is no database ${database}: CONFIG GET databases says how many there are; a cluster has only /0.`,
  },
  {
    on: /unknown (sub)?command/i,
    say: () =>
      'It is no Redis 4 or later, its administrator has renamed that command, or a proxy keeps it back: name the server itself.',
  },
  ...tlsSteps(),
  ...networkSteps(),
]

function tlsSteps(): Step[] {
  return [
    {
      on: /SELF_SIGNED|UNABLE_TO_(VERIFY|GET_ISSUER)|CERT_UNTRUSTED|UNABLE_TO_GET_CRL/i,
      say: () =>
        'Nobody whom this machine trusts has signed its certificate. Name the one who has: --redis-ca ca.pem, or NODE_EXTRA_CA_CERTS=ca.pem.',
    },
    {
      on: /ALTNAME/,
      say: () => 'Its certificate is for another name: write that one into --from, or name it with --redis-servername.',
    },
    { on: /CERT_(HAS_EXPIRED|NOT_YET_VALID)/, say: () => 'Renew its certificate, or set the clock of this machine.' },
    {
      on: /certificate required|bad certificate|CERTIFICATE_REQUIRED|handshake failure/i,
      say: () => 'It wants to see a certificate: --redis-cert client.crt --redis-key client.key (signed by its CA).',
    },
    {
      on: /unknown ca\b/i,
      say: () => 'It does not know who signed the certificate of --redis-cert: show one that its CA has signed.',
    },
    {
      on: /wrong version number|packet length|EPROTO|ERR_SSL|disconnected before secure TLS/i,
      say: () => 'It does not speak TLS on that port: write redis://, or the port of TLS.',
    },
  ]
}

function networkSteps(): Step[] {
  return [
    { on: /ECONNREFUSED/, say: () => 'Nobody listens there: check host and port in --from, and that it runs.' },
    { on: /ENOTFOUND|EAI_AGAIN/, say: () => 'Nobody knows that host: check --from, and the network.' },
    { on: /ENOENT|ENOTSOCK/, say: () => 'There is no such socket: unixsocket in redis.conf names it.' },
    { on: /EACCES/, say: () => 'This user may not open the socket: unixsocketperm in redis.conf.' },
    { on: /timeout|ETIMEDOUT|no answer|EHOSTUNREACH|ENETUNREACH/i, say: silence },
    { on: /closed|ECONNRESET|EPIPE/i, say: hangUp },
    { on: /RESP type|protocol/i, say: () => 'What answers there is no Redis: check host and port in --from.' },
  ]
}

/** With TLS a server without it waits for the rest of what it takes for a command. */
function silence({ isTls }: RedisAddress): string {
  const speech = isTls
    ? 'that it speaks TLS on that port (redis:// is without)'
    : 'that it is no port of TLS (rediss://)'
  return `Check host and port in --from, that no firewall is in between, and ${speech}.`
}

function hangUp({ isTls }: RedisAddress): string {
  if (isTls)
    return 'Check that it speaks TLS on that port (redis:// is without), whether it wants a certificate (--redis-cert, --redis-key), and what its log says.'
  return 'If that is a port of TLS, write rediss://; else its log says why.'
}

function permission({ username = 'default' }: RedisAddress, text: string): string {
  const [, command] = /'([^']+)' command/.exec(text) ?? []
  const right = command === undefined ? '~* (or only the keys to be copied: %R~sess:*)' : `+${command.toLowerCase()}`
  return `Type as its administrator: ACL SETUSER ${username} ${right}. All that is needed is in "pgstash import --help".`
}
