-- A block that is over, and was noticed by a hit, is nothing any more.
select k.ord, c.hits, c.previous, c.reset_at - "pgstash".now_ms(), c.tat - "pgstash".now_ms()::double precision,
  case when c.blocked_until > c.counted_at then c.blocked_until - "pgstash".now_ms() end, c.strikes
from unnest((select $1::text[]), (select $2::text[]), (select $3::text[]))
  with ordinality as k (tenant, namespace, key, ord)
cross join lateral (
  select c.hits, c.previous, c.reset_at, c.tat, c.blocked_until, c.counted_at, c.strikes from "pgstash".counter c
  where c.tenant = k.tenant and c.namespace = k.namespace and c.key = k.key limit 1
) c
