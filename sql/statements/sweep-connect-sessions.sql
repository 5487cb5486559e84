-- One small step; it has an index on expire.
with gone as (
  delete from "pgstash"."connect_session" s
  where s.sid in (
    select d.sid from "pgstash"."connect_session" d where d.expire <= now() limit $1 for update skip locked
  )
  returning s.sid
)
select count(*) from gone
