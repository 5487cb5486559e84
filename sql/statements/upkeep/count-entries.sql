-- What is held, by namespace and by size of value. $1 the percentage of blocks that is read, 100 for all: the counts are of those.
select e.tenant, e.namespace, s.size_class,
  pg_catalog.count(*) filter (where not s.is_expired and not s.is_cleared),
  pg_catalog.count(*) filter (where s.is_expired and not s.is_cleared),
  pg_catalog.count(*) filter (where s.is_cleared),
  coalesce(pg_catalog.sum(s.bytes) filter (where not s.is_expired and not s.is_cleared), 0)::bigint
from "pgstash".entry e tablesample pg_catalog.system ($1)
left join "pgstash".namespace t on t.tenant = e.tenant and t.namespace = ''
left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
cross join lateral (
  select
    coalesce(e.expires_at <= "pgstash".now_ms(), false) as is_expired,
    greatest(e.generation, ~e.generation) < coalesce(t.generation, 0) + coalesce(n.generation, 0)
      or (e.generation < 0 and not "pgstash".tags_hold(e.tenant, e.tags)) as is_cleared,
    pg_catalog.octet_length(e.value) as bytes,
    -- Powers of ten, from 100 bytes on.
    greatest(2, pg_catalog.ceil(pg_catalog.log(greatest(1, pg_catalog.octet_length(e.value)))))::integer as size_class
) s
group by e.tenant, e.namespace, s.size_class
order by e.tenant, e.namespace, s.size_class
