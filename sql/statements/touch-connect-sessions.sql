-- $2 ttls, $3 by how much an expiry has to move, both in milliseconds.
update "pgstash"."connect_session" s set expire = localtimestamp + k.ttl * interval '1 millisecond'
from (
  select k.* from unnest((select $1::text[]), (select $2::bigint[]), (select $3::bigint[])) with ordinality
    as k (sid, ttl, touch_after, ord)
  order by k.ord
) k
where s.sid = k.sid and s.expire > localtimestamp
  and abs(date_part('epoch', localtimestamp + k.ttl * interval '1 millisecond' - s.expire::timestamp)) * 1000 >= k.touch_after
