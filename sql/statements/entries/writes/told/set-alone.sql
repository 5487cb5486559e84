-- As ../set-alone.sql, and logged, $9 the number of the write (null: none), where the namespace is marked.
with n as materialized (
  select coalesce(t.generation, 0) + coalesce(n.generation, 0) as generation, coalesce(n.uses & 3 <> 0, false) as is_told
  from (values (true)) as o (is_one)
  left join "pgstash".namespace t on t.tenant = $1 and t.namespace = ''
  left join "pgstash".namespace n on n.tenant = $1 and n.namespace = $2
),
told as (
  insert into "pgstash".invalidation (kind, nonce, digests)
  select 'k', $9::bigint, array["pgstash".near_digest($1, $2, $3)] from n where n.is_told
)
insert into "pgstash".entry as e
  (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
select
  $1, $2, $3, n.generation,
  pg_catalog.nextval('"pgstash".version') + $8::bigint - 1, $5::"char", "pgstash".now_ms() + $7::bigint, "pgstash".now_ms(), $4, $6
from n
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
returning e.version, (select n.is_told from n)
