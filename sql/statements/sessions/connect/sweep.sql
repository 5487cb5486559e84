-- One small step; it has an index on expire.
with gone as (
  delete from "pgstash"."connect_session" s
  where s.sid::text in (
    select d.sid::text from "pgstash"."connect_session" d where d.expire <= pg_catalog.now() limit $1 for update skip locked
  )
  returning s.sid
)
select pg_catalog.count(*) from gone
