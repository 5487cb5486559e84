-- One value for a near cache, for a lone caller: whether its namespace is told (0015), then what whole-alone.sql answers, with the milliseconds left; nulls where nothing is there.
select coalesce(n.uses & 9 = 9, false), case when e.generation < 0 then '#'::"char" else e.format end, e.value, e.version, e.expires_at - "pgstash".now_ms(), e.expires_at
from (values (true)) as o (is_one)
left join "pgstash".namespace n on n.tenant = $1 and n.namespace = $2
left join "pgstash".entry e on e.tenant = $1 and e.namespace = $2 and e.key = $3
  and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) =
    coalesce((select t.generation from "pgstash".namespace t where t.tenant = $1 and t.namespace = ''), 0) + coalesce(n.generation, 0)
