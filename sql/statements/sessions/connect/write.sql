-- $2 data, between them $3; $4 ttls in milliseconds.
insert into "pgstash"."connect_session" as s (sid, sess, expire)
select k.sid, k.sess::json, pg_catalog.now() + k.ttl::double precision * interval '1 millisecond'
from unnest((select $1::text[]), (select pg_catalog.string_to_array($2, $3)), (select $4::bigint[])) with ordinality as k (sid, sess, ttl, ord)
order by k.ord
on conflict (sid) do update set sess = excluded.sess, expire = excluded.expire
