-- Fixed windows in which every hit counts, and one over the limit begins the window anew: $9 says how often it may double by that, by one for each such hit.
-- Otherwise parameters as of consume-fixed-window.sql. "do update" sees the proposed row only: there "granted" carries $9. No window is longer than 100 years.
insert into "pgstash".counter as c
  (tenant, namespace, key, hits, reset_at, counted_at, expires_at, place, asked, cost, most, window_ms, granted, long_key)
select k.tenant, k.namespace, k.key, k.asked * k.cost, v.now + t.lasts, v.now, v.now + t.lasts, k.ord, k.asked, k.cost, k.most, k.window_ms, k.doublings, k.long_key
from (select "pgstash".now_ms() as now) v
cross join (
  select
    coalesce(u.tenant, (select ($1::text[])[1])) as tenant, coalesce(u.namespace, (select ($2::text[])[1])) as namespace,
    u.key, u.long_key, coalesce(u.cost, (select ($5::bigint[])[1])) as cost, coalesce(u.asked, (select ($6::integer[])[1])) as asked,
    coalesce(u.most, (select ($7::bigint[])[1])) as most, coalesce(u.window_ms, (select ($8::bigint[])[1])) as window_ms,
    coalesce(u.doublings, (select ($9::integer[])[1])) as doublings, u.ord
  from unnest(
    (select $1::text[]), (select $2::text[]), (select $3::text[]), (select $4::text[]),
    (select $5::bigint[]), (select $6::integer[]), (select $7::bigint[]), (select $8::bigint[]), (select $9::integer[])
  ) with ordinality as u (tenant, namespace, key, long_key, cost, asked, most, window_ms, doublings, ord)
) k
cross join lateral (
  select least(3155760000000, k.window_ms::double precision * pg_catalog.power(2::double precision, greatest(0, least(k.asked * k.cost - k.most - 1, k.doublings))::double precision))::bigint as lasts
) t
order by k.ord
on conflict (tenant, namespace, key) do update set
  hits = case when c.reset_at <= excluded.counted_at then 0 else c.hits end + excluded.hits,
  reset_at = case
    when c.reset_at <= excluded.counted_at then excluded.reset_at
    when c.hits + excluded.hits <= excluded.most then c.reset_at
    else greatest(c.counted_at, excluded.counted_at)
      + least(3155760000000, excluded.window_ms::double precision
        * pg_catalog.power(2::double precision, greatest(0, least(c.hits + excluded.hits - excluded.most - 1, excluded.granted))::double precision))::bigint
  end,
  expires_at = case
    when c.reset_at <= excluded.counted_at then excluded.expires_at
    when c.hits + excluded.hits <= excluded.most then c.expires_at
    else greatest(c.counted_at, excluded.counted_at)
      + least(3155760000000, excluded.window_ms::double precision
        * pg_catalog.power(2::double precision, greatest(0, least(c.hits + excluded.hits - excluded.most - 1, excluded.granted))::double precision))::bigint
  end,
  counted_at = greatest(c.counted_at, excluded.counted_at),
  place = excluded.place, asked = excluded.asked, cost = excluded.cost, most = excluded.most
returning c.place, c.asked, c.hits, c.previous, c.reset_at - c.counted_at, null::double precision
