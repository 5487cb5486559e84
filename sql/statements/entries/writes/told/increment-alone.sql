-- As ../increment-alone.sql, and logged if it was written, $7 the number of the write (null: none), where the namespace is marked.
with n as materialized (
  select coalesce(t.generation, 0) + coalesce(n.generation, 0) as generation, coalesce(n.uses & 3 <> 0, false) as is_told
  from (values (true)) as o (is_one)
  left join "pgstash".namespace t on t.tenant = $1 and t.namespace = ''
  left join "pgstash".namespace n on n.tenant = $1 and n.namespace = $2
),
written as (
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
  select
    $1, $2, $3, n.generation, pg_catalog.nextval('"pgstash".version'), 'i', "pgstash".now_ms() + $6::bigint, "pgstash".now_ms(), $4, $5
  from n
  on conflict (tenant, namespace, key) do update set
    generation = greatest(e.generation, excluded.generation),
    version = case when e.version < excluded.version then excluded.version else pg_catalog.nextval('"pgstash".version') end,
    format = 'i',
    expires_at = case when e.expires_at <= excluded.written_at or e.generation < excluded.generation
      then excluded.expires_at else e.expires_at end,
    written_at = excluded.written_at,
    value = case when e.expires_at <= excluded.written_at or e.generation < excluded.generation
      then excluded.value else (e.value::bigint + excluded.value::bigint)::text end
  where e.generation >= 0 and case
    when e.expires_at <= excluded.written_at or e.generation < excluded.generation then true
    when e.format = 'i' then abs(e.value::bigint + excluded.value::bigint) <= 9007199254740991
    else false
  end
  returning e.value
),
told as (
  insert into "pgstash".invalidation (kind, nonce, digests)
  select 'k', $7::bigint, array["pgstash".near_digest($1, $2, $3)] from written w cross join n where n.is_told
)
select w.value, n.is_told from written w cross join n
