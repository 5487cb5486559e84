-- Of a table made by connect-pg-simple: (sid, sess, expire). Its expire has no time zone: it is the session's, here as there. What is left of it is counted
-- between moments, not between wall clocks, which jump twice a year.
select k.ord, s.sess, floor(date_part('epoch', s.expire::timestamptz - now()) * 1000)::bigint
from unnest((select $1::text[])) with ordinality as k (sid, ord)
cross join lateral (
  select s.sess::text, s.expire from "pgstash"."connect_session" s where s.sid = k.sid limit 1
) s
where s.expire > now()
