-- GCRA: a hit moves the theoretical arrival time by its share of the window, if that stays within one window from now. Otherwise as consume-fixed-window.sql.
with v as materialized (select "pgstash".now_ms() as now),
k as materialized (
  select a.*, "pgstash".fitting(a.most, a.cost, a.asked) as granted
  from (
    select
      coalesce(u.tenant, (select ($1::text[])[1])) as tenant, coalesce(u.namespace, (select ($2::text[])[1])) as namespace,
      u.key, u.long_key, coalesce(u.cost, (select ($5::bigint[])[1])) as cost, coalesce(u.asked, (select ($6::integer[])[1])) as asked,
      coalesce(u.most, (select ($7::bigint[])[1])) as most, coalesce(u.window_ms, (select ($8::bigint[])[1])) as window_ms, u.ord
    from unnest(
      (select $1::text[]), (select $2::text[]), (select $3::text[]), (select $4::text[]),
      (select $5::bigint[]), (select $6::integer[]), (select $7::bigint[]), (select $8::bigint[])
    ) with ordinality as u (tenant, namespace, key, long_key, cost, asked, most, window_ms, ord)
  ) a
),
written as (
  insert into "pgstash".counter as c
    (tenant, namespace, key, hits, reset_at, tat, counted_at, expires_at, place, asked, cost, most, window_ms, granted, long_key)
  select k.tenant, k.namespace, k.key, 0, pg_catalog.ceil(t.tat), t.tat, v.now, pg_catalog.ceil(t.tat), k.ord, k.asked, k.cost, k.most, k.window_ms, k.granted, k.long_key
  from v
  cross join k
  cross join lateral (select v.now::double precision
    + (k.granted * k.cost)::double precision * k.window_ms::double precision / nullif(k.most, 0)::double precision as tat) t
  where k.granted > 0
  order by k.ord
  on conflict (tenant, namespace, key) do update set
    -- In whole hits, where it is some to within what a double of the time of today loses (0.00025 ms): added up as milliseconds, 300 hits of one moment lost
    -- enough for the last of them to be denied.
    tat = greatest(c.counted_at, excluded.counted_at)::double precision + excluded.window_ms::double precision / excluded.most::double precision * (
      case when pg_catalog.abs((greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision) * excluded.most::double precision / excluded.window_ms::double precision
          - pg_catalog.round((greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision) * excluded.most::double precision / excluded.window_ms::double precision))
          * excluded.window_ms::double precision / excluded.most::double precision <= 0.00025::double precision
        then pg_catalog.round((greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision) * excluded.most::double precision / excluded.window_ms::double precision)
        else (greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision) * excluded.most::double precision / excluded.window_ms::double precision
      end
      + excluded.cost::double precision * "pgstash".fitting(
          excluded.most::double precision * (1::double precision
          - (greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision - 0.00025::double precision) / excluded.window_ms::double precision),
          excluded.cost, excluded.asked)::double precision),
    granted = "pgstash".fitting(
      excluded.most::double precision * (1::double precision
          - (greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision - 0.00025::double precision) / excluded.window_ms::double precision),
      excluded.cost, excluded.asked),
    counted_at = greatest(c.counted_at, excluded.counted_at),
    -- Late enough, without the sum once more.
    reset_at = greatest(c.counted_at, excluded.counted_at) + excluded.window_ms,
    expires_at = greatest(c.counted_at, excluded.counted_at) + excluded.window_ms,
    place = excluded.place, asked = excluded.asked, cost = excluded.cost, most = excluded.most
  where "pgstash".fitting(
    excluded.most::double precision * (1::double precision
          - (greatest(c.tat, c.counted_at, excluded.counted_at) - greatest(c.counted_at, excluded.counted_at)::double precision - 0.00025::double precision) / excluded.window_ms::double precision),
    excluded.cost, 1) > 0
  returning c.place, c.granted, c.hits, c.previous, c.reset_at - c.counted_at as reset_left, c.tat - c.counted_at::double precision as tat_left
)
select w.place, w.granted, w.hits, w.previous, w.reset_left, w.tat_left from written w
union all
select k.ord, 0, c.hits, c.previous, c.reset_at - v.now, c.tat - v.now::double precision
from v
cross join k
left join lateral (
  select c.hits, c.previous, c.reset_at, c.tat from "pgstash".counter c
  where c.tenant = k.tenant and c.namespace = k.namespace and c.key = k.key limit 1
) c on true
where k.ord <> all (array(select w.place from written w))
