-- As count-entries.sql, of one tenant: what its part of the primary key leads to.
select e.tenant, e.namespace,
  pg_catalog.count(*) filter (where not s.is_expired and not s.is_cleared),
  pg_catalog.count(*) filter (where s.is_expired and not s.is_cleared),
  pg_catalog.count(*) filter (where s.is_cleared),
  coalesce(pg_catalog.sum(pg_catalog.octet_length(e.value)) filter (where not s.is_expired and not s.is_cleared), 0)::bigint
from "pgstash".entry e
left join "pgstash".namespace t on t.tenant = e.tenant and t.namespace = ''
left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
cross join lateral (
  select
    coalesce(e.expires_at <= "pgstash".now_ms(), false) as is_expired,
    greatest(e.generation, ~e.generation) < coalesce(t.generation, 0) + coalesce(n.generation, 0)
      or (e.generation < 0 and not "pgstash".tags_hold(e.tenant, e.tags)) as is_cleared
) s
where e.tenant = $1
group by e.tenant, e.namespace
order by e.namespace
