-- Values of any tenants and namespaces.
select k.ord, case when e.generation < 0 then '#'::"char" else e.format end as format, e.value
from unnest((select $1::text[]), (select $2::text[]), (select $3::text[]))
  with ordinality as k (tenant, namespace, key, ord)
cross join lateral (
  select e.format, e.value, e.expires_at, e.generation from "pgstash".entry e
  where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
) e
left join lateral (
  select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
) t on true
left join lateral (
  select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
) n on true
where (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and greatest(e.generation, ~e.generation) = coalesce(t.generation, 0) + coalesce(n.generation, 0)
