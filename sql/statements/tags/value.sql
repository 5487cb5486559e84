-- As entries/reads/value.sql, where entries of the namespace are tagged: each of the tags still has the number that it had when the entry was stored.
select e.format, e.value
from "pgstash".entry e
where e.tenant = $1 and e.namespace = $2 and e.key = $3
  and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) =
    coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = ''), 0)
    + coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = $2), 0)
  and (e.generation >= 0 or pg_catalog.cardinality(e.tags) = (
    select pg_catalog.count(*) from "pgstash".tag t where t.generation = any (e.tags) and t.tenant = $1
  ))
