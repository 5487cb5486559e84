select pg_catalog.count(*) from "pgstash"."connect_session" s where s.expire > pg_catalog.now()
