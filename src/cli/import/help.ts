/** What `pgstash import --help` says after the options. */
export const importRecipes = `
Recipes (look at your keys first: redis-cli --scan | head):

  Keyv on Redis, for new Keyv({ store: new KeyvPgStore(stash), namespace: 'views' }).
  Values stay text, as Keyv wrote them. Only the prefix differs:
    keys views::views:…   new Keyv({ store: new KeyvRedis(…), namespace: 'views' })
    keys views::…         createKeyv(url, { namespace: 'views' }), and Keyv 6
    keys keyv::keyv:…     new Keyv(new KeyvRedis(…)): its namespace is keyv
    keys views:…          Keyv 4
    keys …, no prefix     createKeyv(url), and Keyv 6 without a namespace: no --strip-prefix, and --namespace keyv
  pgstash import --from redis://localhost:6379/0 --strip-prefix 'views::views:' --namespace views

  Keyv on PostgreSQL (@keyv/postgres, any version; the prefix is the namespace and ':').
  pgstash import --from postgres://localhost/app --table keyv --strip-prefix 'keyv:' --namespace keyv

  cache-manager 4 or 5 on Redis (cache-manager-ioredis-yet, cache-manager-redis-yet), for caching(pgStore):
  these hold JSON under bare keys, and pgStore's namespace is cache.
  pgstash import --from redis://localhost:6379/0 --values json --namespace cache

  The API of pgstash itself, in the place of a Redis client: as you read them, --values text, json or bytes.
  JSON is stored as it was written. Numbers that JavaScript does not keep (12345678901234567890), and all but the last
  of equal names, are there in SQL, not in what get() answers: they are counted as inexact. What JavaScript could not
  say again (1e999) stays text, and is counted as notJson.

  Sessions of connect-redis, under express-session or @fastify/session, for PgSessionStore: with the expiry of the
  key, and with their user where --user-field says how the option userId of the store finds it. With the same secret
  in the app, everybody stays logged in.
  pgstash import --from redis://localhost:6379/0 --as sessions --user-field passport.user
  Stop the old app first, or a session that ended meanwhile comes back. A table of connect-pg-simple needs no import:
  the option table of PgSessionStore uses it where it is. Rate limits are not imported: they count anew.

What is read is what --from names: redis://host:6379/5 and ?db=5 are database 5, which the server has to confirm.
A cluster is noticed at any of its nodes, and all of its primaries are read; while slots move it is refused.
redis+unix:///run/redis.sock?db=5 is a socket. Of a Sentinel, name the primary that it knows.
For rediss:// --redis-ca names the file of who signed the certificate; NODE_EXTRA_CA_CERTS does, too.

The rights it needs in Redis (+select beyond database 0; the last line for a cluster):
  ACL SETUSER importer on '>password' '%R~*' +info +client|info +select +scan +multi +exec +mget +pttl +type
  ACL SETUSER importer +get +cluster|slots +cluster|nodes
Before Redis 7: '~*' for '%R~*', +client and +cluster for +client|info and the two of cluster.

Ctrl-C ends it after the page under way. Run again after it was stopped, the same command goes on where it stopped:
its place is kept for a week in the namespace pgstash-import of the target, sealed with the address of the source, and
removed at the end. Entries before that place are not read again, so what
changed there in the meantime is not seen: --restart reads all of it. After a restart or failover of Redis, when
slots of a cluster moved, or the target was cleared, it begins anew by itself.

From Redis, keys that are there from beginning to end are copied; those written or deleted while it runs may or
may not be. Other types than string are skipped and counted: read is written plus skipped. Text that is no UTF-8 becomes a Buffer.

Exit codes: 0 done, 1 failed or stopped, 2 wrong usage.`
