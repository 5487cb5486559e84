/** Codes that no class of the public surface stands for: those of the command line, which says them and ends. */
export const codesWithoutClass: Readonly<Record<string, { readonly cause: string; readonly nextStep: string }>> = {
  ERR_PGSTASH_IMPORT_SOURCE: {
    cause:
      '`pgstash import` could not read the source: Redis refused or was not reached, or it answered what no Redis answers.',
    nextStep:
      "The message has the source's own words and what they call for: an address, a password, a right, a database number, TLS. Put it right, and run the same command again.",
  },
  ERR_PGSTASH_IMPORT_SOURCE_CHANGED: {
    cause:
      'What `pgstash import` had read is no longer the whole: slots of the cluster moved, or a server began anew or was exchanged, while it was read. Keys may have been missed.',
    nextStep:
      'Wait until that is done, and run the same command again: it begins anew, and what has been imported is written once more.',
  },
  ERR_PGSTASH_OUTPUT: {
    cause: 'stdout could not be written: a full disk, mostly. A reader that wants no more (`| head`) is no failure.',
    nextStep: 'Make room, or write elsewhere, and run the command again.',
  },
  ERR_PGSTASH_REDIS_CLIENT_MISSING: {
    cause: '`pgstash import` reads Redis by its own client, `@redis/client`, which is not installed.',
    nextStep: 'Install version 5 or 6 of it beside pgstash: `npm install @redis/client@5`.',
  },
  ERR_PGSTASH_STOPPED: {
    cause: 'Somebody answered no to a question, or pressed Ctrl-C.',
    nextStep: 'Run the command again if it was a mistake; `pgstash import` goes on where it was stopped.',
  },
  ERR_PGSTASH_UNEXPECTED: {
    cause: 'An error that this package does not know; its own words follow.',
    nextStep: 'Read them. If they point at this package, report it with the command, without its password.',
  },
  ERR_PGSTASH_USAGE: {
    cause:
      'A command or flag that is not known, one that is missing, or two that do not go together. Nothing was sent to the database.',
    nextStep: 'Add `--help` to the command: it lists its flags.',
  },
}
