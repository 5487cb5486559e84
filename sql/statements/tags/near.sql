-- As entries/reads/near.sql, where some of the entries are tagged; the numbers of its tags with each.
select k.ord, coalesce(n.uses & 9 = 9, false), e.format, e.value, e.version, e.expires_at - "pgstash".now_ms(), e.expires_at,
  case when e.generation < 0 then e.tags end::text
from unnest((select $1::text[]), (select $2::text[]), (select $3::text[]))
  with ordinality as k (tenant, namespace, key, ord)
left join lateral (
  select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
) t on true
left join lateral (
  select n.generation, n.uses from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
) n on true
left join lateral (
  select e.format, e.value, e.version, e.expires_at, e.generation, e.tags from "pgstash".entry e
  where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
) e on (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) = coalesce(t.generation, 0) + coalesce(n.generation, 0)
  and (e.generation >= 0 or pg_catalog.cardinality(e.tags) = (
    select pg_catalog.count(*) from "pgstash".tag a where a.generation = any (e.tags) and a.tenant = k.tenant
  ))
