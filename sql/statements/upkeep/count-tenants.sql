-- What each tenant holds alive, for quotas.
select e.tenant, pg_catalog.count(*), coalesce(pg_catalog.sum(pg_catalog.octet_length(e.value)), 0)::bigint
from "pgstash".entry e
left join "pgstash".namespace t on t.tenant = e.tenant and t.namespace = ''
left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
where (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) >= coalesce(t.generation, 0) + coalesce(n.generation, 0)
  and (e.generation >= 0 or "pgstash".tags_hold(e.tenant, e.tags))
group by e.tenant
