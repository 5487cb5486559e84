select s.sid::text, s.sess::text, pg_catalog.floor(pg_catalog.date_part('epoch', s.expire::timestamptz - pg_catalog.now()) * 1000::double precision)::bigint
from "pgstash"."connect_session" s
where s.sid::text > $1 and s.expire > pg_catalog.now()
order by s.sid
limit $2
