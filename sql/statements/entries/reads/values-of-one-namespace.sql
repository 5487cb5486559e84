-- Values of one namespace: its generation is looked up once. ord counts the callers from 1.
select k.ord, case when e.generation < 0 then '#'::"char" else e.format end as format, e.value
from pg_catalog.unnest((select $3::text[])) with ordinality as k (key, ord)
cross join lateral (
  select e.format, e.value, e.expires_at, e.generation from "pgstash".entry e
  where e.tenant = $1 and e.namespace = $2 and e.key = k.key limit 1
) e
where (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) =
    coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = ''), 0)
    + coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = $2), 0)
