select s.sid::text, s.sess::text, floor(date_part('epoch', s.expire::timestamptz - now()) * 1000)::bigint
from "pgstash"."connect_session" s
where s.sid > $1 and s.expire > now()
order by s.sid
limit $2
