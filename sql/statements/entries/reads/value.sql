-- One value: for a lone caller.
select case when e.generation < 0 then '#'::"char" else e.format end as format, e.value
from "pgstash".entry e
where e.tenant = $1 and e.namespace = $2 and e.key = $3
  and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) =
    coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = ''), 0)
    + coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = $2), 0)
