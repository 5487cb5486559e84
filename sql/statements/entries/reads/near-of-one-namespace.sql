-- As near-alone.sql, of one namespace: what it is used for and its generation are looked up once.
select
  k.ord, coalesce((select n.uses & 9 = 9 from "pgstash".namespace n where n.tenant = $1 and n.namespace = $2), false),
  case when e.generation < 0 then '#'::"char" else e.format end, e.value, e.version, e.expires_at - "pgstash".now_ms(), e.expires_at
from pg_catalog.unnest((select $3::text[])) with ordinality as k (key, ord)
left join lateral (
  select e.format, e.value, e.version, e.expires_at, e.generation from "pgstash".entry e
  where e.tenant = $1 and e.namespace = $2 and e.key = k.key limit 1
) e on (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) =
    coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = ''), 0)
    + coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = $2), 0)
