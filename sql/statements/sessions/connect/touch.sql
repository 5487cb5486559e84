-- $2 ttls, $3 by how much an expiry has to move on, both in milliseconds. Back: as is_moved() of the schema's own sessions.
update "pgstash"."connect_session" s set expire = pg_catalog.now() + k.ttl::double precision * interval '1 millisecond'
from (
  select k.* from unnest((select $1::text[]), (select $2::bigint[]), (select $3::bigint[])) with ordinality
    as k (sid, ttl, touch_after, ord)
  order by k.ord
) k
where s.sid::text = k.sid and s.expire > pg_catalog.now()
  and (pg_catalog.now() + k.ttl::double precision * interval '1 millisecond' - s.expire::timestamptz >= k.touch_after::double precision * interval '1 millisecond'
    or pg_catalog.now() + k.ttl::double precision * interval '1 millisecond' - s.expire::timestamptz <= -least(k.touch_after, 1000)::double precision * interval '1 millisecond')
