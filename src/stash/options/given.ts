/**
 * Options as a plain object of their own, read by name: those that are inherited or not enumerable as well, as of an instance of a class, `Object.create(defaults)`, or a
 * `pg.Pool`, which hides its password. A spread loses them.
 * @param names of all options there are; what else is there and enumerable comes along, to be refused by whoever knows the names
 */
export function plainOptions<Options extends object>(given: Options, names: Iterable<string>): Options {
  const plain = { ...given } as Record<string, unknown>
  for (const name of names) {
    if (Object.hasOwn(plain, name)) continue
    const value = (given as Record<string, unknown>)[name]
    if (value !== undefined) plain[name] = value
  }
  return plain as Options
}

/** What is undefined is left out: it shall replace no default. */
export function definedOptions<Options extends object>(options: Options): Options {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Options
}

/** Of `tls.connect`: what an object may have behind a getter. */
const tlsNames =
  `ca cert key passphrase pfx crl rejectUnauthorized servername checkServerIdentity minVersion maxVersion secureProtocol
  ciphers sigalgs ecdhCurve dhparam secureContext secureOptions ALPNProtocols`.split(/\s+/)

/** A copy: `pg-pool` hides the key in it, which fails where the caller has frozen it. */
export function plainTls<Ssl>(ssl: Ssl): Ssl {
  if (typeof ssl !== 'object' || ssl === null) return ssl
  return plainOptions(ssl, [...Object.getOwnPropertyNames(ssl), ...tlsNames])
}
