-- One addition: for a lone caller. As increment_entries, for one row; the amount in $5, the ttl in $6. Where the namespace is marked it writes nothing and answers no row:
-- told/increment-alone.sql does then. Neither writes what is tagged: that is left to increment_entries.
insert into "pgstash".entry as e
  (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
select
  $1, $2, $3, coalesce((select t.generation from "pgstash".namespace t where t.tenant = $1 and t.namespace = ''), 0) + coalesce(n.generation, 0),
  pg_catalog.nextval('"pgstash".version'), 'i', "pgstash".now_ms() + $6::bigint, "pgstash".now_ms(), $4, $5
from (values (true)) as o (is_one)
left join "pgstash".namespace n on n.tenant = $1 and n.namespace = $2
where n.uses is null or n.uses & 3 = 0
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
