delete from "pgstash"."connect_session" s where s.sid::text = any ($1::text[])
returning s.sid::text, s.expire > pg_catalog.now()
