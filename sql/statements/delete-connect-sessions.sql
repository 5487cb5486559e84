delete from "pgstash"."connect_session" s where s.sid = any ($1::text[])
returning s.sid::text, s.expire > now()
