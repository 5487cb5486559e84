-- One set: for a lone caller. As set.sql, for one row; the ttl in $7, how many sets it stands for in $8. Where the namespace is marked it writes nothing and answers no row:
-- told/set-alone.sql does then.
insert into "pgstash".entry as e
  (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
select
  $1, $2, $3, coalesce((select t.generation from "pgstash".namespace t where t.tenant = $1 and t.namespace = ''), 0) + coalesce(n.generation, 0),
  pg_catalog.nextval('"pgstash".version') + $8::bigint - 1, $5::"char", "pgstash".now_ms() + $7::bigint, "pgstash".now_ms(), $4, $6
from (values (true)) as o (is_one)
left join "pgstash".namespace n on n.tenant = $1 and n.namespace = $2
where n.uses is null or n.uses & 3 = 0
on conflict (tenant, namespace, key) do update set
  generation = greatest(e.generation, ~e.generation, excluded.generation),
  version = case
    when e.version < excluded.version - excluded.version % 64::bigint then excluded.version
    else pg_catalog.nextval('"pgstash".version') + excluded.version % 64::bigint
  end,
  format = excluded.format,
  expires_at = excluded.expires_at,
  written_at = excluded.written_at,
  value = excluded.value,
  tags = null
returning e.version
