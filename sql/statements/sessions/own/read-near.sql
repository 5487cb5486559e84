-- As read.sql, for a near cache: a row for each, with whether every write of the sessions of its namespace is told (0015); nulls where none is there.
select k.ord, coalesce(n.uses & 20 = 20, false), s.data, s.cookie, s.expires_at - "pgstash".now_ms(), s.version
from unnest((select $1::text[]), (select $2::text[]), (select $3::text[]))
  with ordinality as k (tenant, namespace, id, ord)
left join lateral (
  select n.uses from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
) n on true
left join lateral (
  select s.data, s.cookie, s.expires_at, s.version from "pgstash".session s
  where s.tenant = k.tenant and s.namespace = k.namespace and s.id = k.id limit 1
) s on s.expires_at > "pgstash".now_ms()
