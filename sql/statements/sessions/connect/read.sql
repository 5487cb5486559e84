-- Of a table made by connect-pg-simple: (sid, sess, expire). Its expire has no time zone: it is the session's, here as there. What is left of it is counted
-- between moments, not between wall clocks, which jump twice a year.
select k.ord, s.sess, pg_catalog.floor(pg_catalog.date_part('epoch', s.expire::timestamptz - pg_catalog.now()) * 1000::double precision)::bigint
from pg_catalog.unnest((select $1::text[])) with ordinality as k (sid, ord)
cross join lateral (
  select s.sess::text, s.expire from "pgstash"."connect_session" s where s.sid::text = k.sid limit 1
) s
where s.expire > pg_catalog.now()
