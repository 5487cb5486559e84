-- As ../set.sql, and those of marked namespaces are logged, $13 the number of the write (null: none). Answers in the first row where they were.
with v as materialized (
  select pg_catalog.nextval('"pgstash".version') as base, "pgstash".now_ms() as now, g.*
  from (
    select pg_catalog.array_agg(coalesce(t.generation, 0) + coalesce(n.generation, 0) order by a.ord) as generations,
      pg_catalog.array_agg(coalesce(n.uses & 3 <> 0, false) order by a.ord) as are_told
    from unnest((select $10::text[]), (select $11::text[])) with ordinality as a (tenant, namespace, ord)
    left join lateral (
      select t.generation from "pgstash".namespace t where t.tenant = a.tenant and t.namespace = '' limit 1
    ) t on true
    left join lateral (
      select n.generation, n.uses from "pgstash".namespace n where n.tenant = a.tenant and n.namespace = a.namespace limit 1
    ) n on true
  ) g
),
told as (
  insert into "pgstash".invalidation (kind, nonce, digests)
  select 'k', $13::bigint, pg_catalog.array_agg("pgstash".near_digest(k.tenant, k.namespace, k.key))
  from v
  cross join unnest((select $1::text[]), (select $2::text[]), (select $3::text[]), (select $12::integer[])) as k (tenant, namespace, key, place)
  where v.are_told[k.place]
  having pg_catalog.count(*) > 0
),
written as (
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
  select k.tenant, k.namespace, k.key, v.generations[k.place],
    v.base + coalesce(k.writes, 1) - 1, coalesce(k.format, 't')::"char", v.now + k.ttl, v.now, k.long_key, k.value
  from v
  cross join (
    select
      pg_catalog.unnest((select $1::text[])) as tenant, pg_catalog.unnest((select $2::text[])) as namespace,
      pg_catalog.unnest((select $3::text[])) as key, pg_catalog.unnest((select $4::text[])) as long_key,
      pg_catalog.unnest((select $5::text[])) as format, pg_catalog.unnest((select pg_catalog.string_to_array($6, $9))) as value,
      pg_catalog.unnest((select $7::bigint[])) as ttl, pg_catalog.unnest((select $8::bigint[])) as writes,
      pg_catalog.unnest((select $12::integer[])) as place
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
  returning e.tenant, e.namespace, e.key, e.version
)
select v.base as version, null as tenant, null as namespace, null as key, pg_catalog.array_to_string(v.are_told, ',') as are_told from v
union all
select w.version, w.tenant, w.namespace, w.key, null
from written w
cross join v
where w.version not between v.base and v.base + 63
