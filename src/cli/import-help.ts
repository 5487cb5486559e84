/** What `pgstash import --help` says after the options. */
export const importRecipes = `
Recipes (look at your keys first: redis-cli --scan | head):

  Keyv on Redis, for new Keyv({ store: new KeyvPgStore(stash), namespace: 'views' }).
  Values stay text, as Keyv wrote them. Only the prefix differs:
    keys views::views:…   new Keyv({ store: new KeyvRedis(…), namespace: 'views' })
    keys views::…         createKeyv(url, { namespace: 'views' }), and Keyv 6
    keys keyv::keyv:…     new Keyv(new KeyvRedis(…)): its namespace is keyv
    keys views:…          Keyv 4
  pgstash import --from redis://localhost:6379/0 --strip-prefix 'views::views:' --namespace views

  Keyv on PostgreSQL (@keyv/postgres, any version; the prefix is the namespace and ':').
  pgstash import --from postgres://localhost/app --table keyv --strip-prefix 'keyv:' --namespace keyv

  cache-manager 4 or 5 on Redis (cache-manager-ioredis-yet, cache-manager-redis-yet), for caching(pgStore):
  these hold JSON under bare keys, and pgStore's namespace is cache.
  pgstash import --from redis://localhost:6379/0 --values json --namespace cache

  The API of pgstash itself, in the place of a Redis client: as you read them, --values text, json or bytes.

Ctrl-C ends it after the page under way. Run again after it was stopped, the same command goes on where it stopped:
its place is kept for a week in the namespace pgstash-import of the target, sealed with the address of the source, and
removed at the end. Entries before that place are not read again, so what
changed there in the meantime is not seen: --restart reads all of it. After a restart or failover of Redis, or
when the target was cleared, it begins anew by itself.

From Redis, keys that are there from beginning to end are copied; those written or deleted while it runs may or
may not be. Other types than string are skipped and counted. Text that is no UTF-8 becomes a Buffer.

Exit codes: 0 done, 1 failed or stopped, 2 wrong usage.`
