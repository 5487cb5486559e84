-- As ../set-in-one-namespace.sql, and logged, $10 the number of the write (null: none), where the namespace is marked.
with v as materialized (
  select
    pg_catalog.nextval('"pgstash".version') as base, "pgstash".now_ms() as now,
    coalesce(t.generation, 0) + coalesce(n.generation, 0) as generation, coalesce(n.uses & 3 <> 0, false) as is_told
  from (values (true)) as o (is_one)
  left join "pgstash".namespace t on t.tenant = $1 and t.namespace = ''
  left join "pgstash".namespace n on n.tenant = $1 and n.namespace = $2
),
told as (
  insert into "pgstash".invalidation (kind, nonce, digests)
  select 'k', $10::bigint, pg_catalog.array_agg("pgstash".near_digest($1, $2, k.key))
  from v
  cross join pg_catalog.unnest((select $3::text[])) as k (key)
  where v.is_told
  having pg_catalog.count(*) > 0
),
written as (
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
  select $1::text, $2::text, k.key, v.generation,
    v.base + coalesce(k.writes, 1) - 1, coalesce(k.format, 't')::"char", v.now + k.ttl, v.now, k.long_key, k.value
  from v
  cross join (
    select
      pg_catalog.unnest((select $3::text[])) as key, pg_catalog.unnest((select $4::text[])) as long_key,
      pg_catalog.unnest((select $5::text[])) as format, pg_catalog.unnest((select pg_catalog.string_to_array($6, $9))) as value,
      pg_catalog.unnest((select $7::bigint[])) as ttl, pg_catalog.unnest((select $8::bigint[])) as writes
  ) k
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
  returning e.key, e.version
)
select v.base as version, null as tenant, null as namespace, null as key, v.is_told from v
union all
select w.version, $1, $2, w.key, null
from written w
cross join v
where w.version not between v.base and v.base + 63
