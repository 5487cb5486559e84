-- $2 is '' to clear the whole tenant; $3 the number of the write, null: none. It answers a row: PGlite tells by one in which transaction it ran
with cleared as (
  insert into "pgstash".namespace as n (tenant, namespace, generation)
  values ($1, $2, 1)
  on conflict (tenant, namespace) do update set generation = n.generation + 1
  returning n.generation, n.uses & 3 <> 0 as is_told
),
told as (
  insert into "pgstash".invalidation (kind, nonce, digests)
  select
    case when $2 = '' then 't' else 'n' end::"char", $3::bigint,
    array[case when $2 = '' then "pgstash".near_digest($1) else "pgstash".near_digest($1, $2) end]
  from cleared c where c.is_told
)
select c.generation, c.is_told from cleared c
