-- Sessions of any tenants and namespaces.
select k.ord, s.data, s.cookie, s.expires_at - "pgstash".now_ms(), s.version
from unnest((select $1::text[]), (select $2::text[]), (select $3::text[]))
  with ordinality as k (tenant, namespace, id, ord)
cross join lateral (
  select s.data, s.cookie, s.expires_at, s.version from "pgstash".session s
  where s.tenant = k.tenant and s.namespace = k.namespace and s.id = k.id limit 1
) s
where s.expires_at > "pgstash".now_ms()
