-- Sessions of one tenant and namespace, each id once, in an order all processes share. $4 long ids, $5 users, $6 data, between them $11, $7 cookies, $8 ttls, $9 by how many
-- milliseconds an expiry has to move to be worth a write, $10 for how many milliseconds the sweep spares them after their expiry. What is stored already is left alone: no
-- row version, no lock. Answers the versions of those written; one whose data is the same keeps its version, unless it ends by this.
-- $12, $13 the tenant and the namespace: where it is marked nothing is written, and no row answered: write-told.sql does then. Otherwise one at least, of nulls where none was written.
with v as materialized (
  select pg_catalog.nextval('"pgstash".version') as version, "pgstash".now_ms() as now
  from (values (true)) as o (is_one)
  left join "pgstash".namespace n on n.tenant = $12 and n.namespace = $13
  where n.uses is null or n.uses & 4 = 0
),
k as materialized (
  select k.*
  from v
  cross join unnest(
    (select $1::text[]), (select $2::text[]), (select $3::text[]), (select $4::text[]), (select $5::text[]),
    (select pg_catalog.string_to_array($6, $11)), (select $7::text[]), (select $8::bigint[]), (select $9::bigint[]),
    (select $10::bigint[])
  ) with ordinality as k (tenant, namespace, id, long_id, user_id, data, cookie, ttl, touch_after, kept_ms, ord)
  left join lateral (
    select o.user_id, o.data, o.cookie, o.expires_at from "pgstash".session o
    where o.tenant = k.tenant and o.namespace = k.namespace and o.id = k.id limit 1
  ) o on true
  where o.expires_at is null or o.expires_at <= v.now or "pgstash".is_moved(v.now + k.ttl - o.expires_at, k.touch_after)
    or o.user_id is distinct from k.user_id or o.data <> k.data or o.cookie is distinct from k.cookie
),
written as (
  insert into "pgstash".session as s
    (tenant, namespace, id, user_id, version, expires_at, written_at, cookie, long_id, kept_ms, data)
  select k.tenant, k.namespace, k.id, k.user_id, v.version, v.now + k.ttl, v.now, k.cookie, k.long_id, k.kept_ms, k.data
  from v
  cross join k
  order by k.ord
  on conflict (tenant, namespace, id) do update set
    user_id = excluded.user_id,
    version = case
      when s.data = excluded.data and s.expires_at > excluded.written_at and excluded.expires_at > excluded.written_at then s.version
      when s.version < excluded.version then excluded.version
      else pg_catalog.nextval('"pgstash".version')
    end,
    expires_at = excluded.expires_at,
    written_at = excluded.written_at,
    cookie = excluded.cookie,
    kept_ms = greatest(s.kept_ms, excluded.kept_ms),
    data = case when s.data = excluded.data then s.data else excluded.data end
  returning s.tenant, s.namespace, s.id, s.version
)
select w.tenant, w.namespace, w.id, w.version
from v
left join written w on true
