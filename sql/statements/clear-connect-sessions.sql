delete from "pgstash"."connect_session"
