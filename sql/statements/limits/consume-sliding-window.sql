-- Sliding windows, estimated from the hits of two fixed ones; otherwise as consume-fixed-window.sql. Windows begin at multiples of their length.
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
    (tenant, namespace, key, hits, reset_at, counted_at, expires_at, place, asked, cost, most, window_ms, granted, long_key)
  select k.tenant, k.namespace, k.key, k.granted * k.cost, (v.now / k.window_ms + 1) * k.window_ms, v.now,
    (v.now / k.window_ms + 2) * k.window_ms, k.ord, k.asked, k.cost, k.most, k.window_ms, k.granted, k.long_key
  from v
  cross join k
  where k.granted > 0
  order by k.ord
  on conflict (tenant, namespace, key) do update set
    hits = "pgstash".fitting(
        excluded.most::double precision - "pgstash".sliding_used(c.hits, c.previous, c.reset_at, excluded.window_ms, greatest(c.counted_at, excluded.counted_at)),
        excluded.cost, excluded.asked) * excluded.cost
      + case when c.reset_at < excluded.reset_at then 0 else c.hits end,
    previous = case
      when c.reset_at >= excluded.reset_at then c.previous
      when c.reset_at = excluded.reset_at - excluded.window_ms then c.hits
      else 0
    end,
    granted = "pgstash".fitting(
      excluded.most::double precision - "pgstash".sliding_used(c.hits, c.previous, c.reset_at, excluded.window_ms, greatest(c.counted_at, excluded.counted_at)),
      excluded.cost, excluded.asked),
    -- A statement that had to wait may be of an older window than the row.
    reset_at = greatest(c.reset_at, excluded.reset_at),
    expires_at = greatest(c.expires_at, excluded.expires_at),
    counted_at = greatest(c.counted_at, excluded.counted_at),
    place = excluded.place, asked = excluded.asked, cost = excluded.cost, most = excluded.most
  where "pgstash".fitting(
    excluded.most::double precision - "pgstash".sliding_used(c.hits, c.previous, c.reset_at, excluded.window_ms, greatest(c.counted_at, excluded.counted_at)),
    excluded.cost, 1) > 0
  returning c.place, c.granted, c.hits, c.previous, c.reset_at - c.counted_at as reset_left, null::double precision as tat_left
)
select w.place, w.granted, w.hits, w.previous, w.reset_left, w.tat_left from written w
union all
select k.ord, 0, c.hits, c.previous, c.reset_at - v.now, null
from v
cross join k
left join lateral (
  select c.hits, c.previous, c.reset_at from "pgstash".counter c
  where c.tenant = k.tenant and c.namespace = k.namespace and c.key = k.key limit 1
) c on true
where k.ord <> all (array(select w.place from written w))
