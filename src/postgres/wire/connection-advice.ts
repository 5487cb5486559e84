/** What the cause of a missing connection looks like: a code, or the words of who gives none. All of these words are those of libraries, which do not translate. */
interface Cause {
  readonly codes?: RegExp
  readonly words?: RegExp
  readonly nextStep: string
}

const setting = 'the address (an option, or DATABASE_URL)'

/**
 * In this order: a cause that is known by its words stands before the code that it shares with others.
 * SQLSTATEs: https://www.postgresql.org/docs/current/errcodes-appendix.html
 */
const causes: readonly Cause[] = [
  {
    words: /after calling end on the pool/,
    nextStep: 'The pool was ended while the stash was in use: close the stash first, then end the pool.',
  },
  { words: /PGlite is clos/, nextStep: 'The PGlite was closed while the stash was in use: close the stash first.' },
  {
    words: /timeout exceeded when trying to connect/,
    nextStep:
      'All clients of the pool were taken, or the server did not answer: look for clients that are never released, raise max, or check that the server can be reached.',
  },
  {
    words: /due to connection timeout|^timeout expired/,
    nextStep: `The server did not answer in time: check ${setting}, the firewall between, and how busy the server is.`,
  },
  {
    words: /server does not support SSL/,
    nextStep: 'Turn TLS on in the server (ssl = on), or off here (ssl: false, sslmode=disable).',
  },
  {
    words: /establishing an SSL connection/,
    nextStep: `What listens there does not speak PostgreSQL's TLS: check host and port of ${setting}.`,
  },
  {
    words: /max_client_conn|query_wait_timeout|pgbouncer|server login|server_login|client_login/i,
    nextStep:
      'It is the pooler that refuses: check its limits (PgBouncer: max_client_conn, default_pool_size), its list of databases and users, and its own way to the server; its log names the cause.',
  },
  {
    words: /^SASL|[Pp]assword must be a string/,
    nextStep: `Check the password in ${setting}, PGPASSWORD, or what the password function gives: it has to be a string.`,
  },
  {
    codes: /^ERR_TLS_CERT_ALTNAME_INVALID$/,
    nextStep: 'Connect by a name that the certificate is made out for, or pass that name as ssl: { servername }.',
  },
  {
    codes: /^CERT_(HAS_EXPIRED|NOT_YET_VALID)$|^CRL_/,
    nextStep: "Renew the server's certificate, and check the clocks.",
  },
  {
    codes: /CERT|^UNABLE_TO_(GET|VERIFY|DECODE|DECRYPT)|^INVALID_(CA|PURPOSE)$|^PATH_LENGTH_EXCEEDED$/,
    nextStep:
      'Pass the certificate of who signed it: sslrootcert in the address, ssl: { ca }, or NODE_EXTRA_CA_CERTS. sslmode=no-verify trusts whoever answers, as does ssl: { rejectUnauthorized: false }.',
  },
  {
    codes: /^(ERR_(SSL|TLS|OSSL)|EPROTO)/,
    nextStep:
      "Client and server do not agree on TLS: check the server's ssl_min_protocol_version and certificate, and the ssl option.",
  },
  { codes: /^(ENOTFOUND|EAI_\w+)$/, nextStep: `Check the host in ${setting}, and that this machine can resolve it.` },
  {
    codes: /^(ENOENT|EACCES|ENOTSOCK)$/,
    nextStep: `Check the directory of the socket, or the file, that ${setting} names, and that this process may use it.`,
  },
  {
    codes: /^(ECONNREFUSED|EADDRNOTAVAIL)$/,
    nextStep: `Nobody listens there: check host and port of ${setting}, and that the server is up.`,
  },
  {
    codes: /^(EHOSTDOWN|EHOSTUNREACH|ENETDOWN|ENETUNREACH|ETIMEDOUT|EPERM)$/,
    nextStep: `Check the network and the firewall between here and the host of ${setting}.`,
  },
  {
    codes: /^28/, // invalid_authorization_specification, invalid_password
    nextStep: `Check user and password of ${setting}, that the role may log in, and the server's pg_hba.conf, which may ask for TLS (ssl: true, sslmode=require).`,
  },
  {
    codes: /^3D000$/, // invalid_catalog_name
    nextStep: `Check the name of the database in ${setting}, or create it.`,
  },
  {
    codes: /^53300$/, // too_many_connections
    nextStep:
      'The server, the database or the role has no connection left: lower max of the pools, put a pooler between, or raise max_connections or the connection limit.',
  },
  {
    codes: /^57P0[1-3]$/, // admin_shutdown, crash_shutdown, cannot_connect_now
    nextStep: 'The server is starting, stopping or recovering: wait for it.',
  },
  {
    codes: /^(42501|55000)$/, // insufficient_privilege, object_not_in_prerequisite_state
    nextStep:
      'Check that the role may connect to the database (grant connect on database), and that it allows connections.',
  },
  {
    // invalid_parameter_value, undefined_object, syntax_error, invalid_text_representation, feature_not_supported, config_file_error
    codes: /^(22023|42704|42601|22P02|0A000|F0000)$/,
    nextStep:
      'Check the start-up options: `options` of the address or of the pool, and what role and database set (alter role … set).',
  },
  {
    codes: /^08P01$/, // protocol_violation
    nextStep: 'Check that a PostgreSQL or its pooler listens there, and its log: a pooler tells its own refusals so.',
  },
  {
    codes: /^(ECONNRESET|EPIPE|ECONNABORTED|57P05)$/,
    words: /^Connection terminated|socket disconnected/,
    nextStep:
      'The server, or something between, ended the connection: check their logs, and whether the server asks for TLS.',
  },
]

const ownCode = `Check ${setting} and the options of the pool; where it is an error of your own code (a password function, onConnect, verify), mend that.`

/** What to do about a connection that was not had, or was lost. The server's own words may be in any language, so what it refuses is told apart by SQLSTATE. */
export function connectionAdvice(cause: unknown): string {
  const { code, message } = told(cause)
  const known = causes.find(({ codes, words }) => codes?.test(code) || words?.test(message))
  return known?.nextStep ?? ownCode
}

/** Refused on every address of a host, it is an AggregateError: the first tells why. */
function told(cause: unknown): { code: string; message: string } {
  if (cause instanceof AggregateError && cause.errors.length > 0) return told(cause.errors[0])
  const { code, message } = (cause ?? {}) as { code?: unknown; message?: unknown }
  return { code: typeof code === 'string' ? code : '', message: typeof message === 'string' ? message : '' }
}
