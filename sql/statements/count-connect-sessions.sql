select count(*) from "pgstash"."connect_session" s where s.expire > now()
