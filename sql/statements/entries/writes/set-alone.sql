-- One set: for a lone caller. As set.sql, for one row; the ttl in $7, how many sets it stands for in $8.
insert into "pgstash".entry as e
  (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
values (
  $1, $2, $3,
  coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = ''), 0)
    + coalesce((select n.generation from "pgstash".namespace n where n.tenant = $1 and n.namespace = $2), 0),
  pg_catalog.nextval('"pgstash".version') + $8::bigint - 1, $5, "pgstash".now_ms() + $7::bigint, "pgstash".now_ms(), $4, $6
)
on conflict (tenant, namespace, key) do update set
  generation = greatest(e.generation, excluded.generation),
  version = case
    when e.version < excluded.version - excluded.version % 64::bigint then excluded.version
    else pg_catalog.nextval('"pgstash".version') + excluded.version % 64::bigint
  end,
  format = excluded.format,
  expires_at = excluded.expires_at,
  written_at = excluded.written_at,
  value = excluded.value
returning e.version
