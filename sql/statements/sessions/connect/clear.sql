-- A step of emptying the table; $1 how many at most. By sid, not by row address: the address may be that of a row as somebody else has just left it, which
-- this statement cannot see.
with doomed as materialized (
  select d.sid::text as sid from "pgstash"."connect_session" d order by d.sid limit $1 for update
),
gone as (
  delete from "pgstash"."connect_session" s using doomed d where s.sid::text = d.sid
)
select pg_catalog.count(*) from doomed
