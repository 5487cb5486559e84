-- The sessions of a user but those in $4, locked in the order of all who write sessions; answers how many were alive. Found as in list-user-sessions.sql.
with doomed as materialized (
  select s.ctid, s.expires_at > "pgstash".now_ms() as is_live
  from "pgstash".session s
  where (s.tenant || E'\x01' || s.namespace || E'\x01' || s.user_id) = $1::text || E'\x01' || $2::text || E'\x01' || $3::text
    and s.user_id is not null and s.tenant is not distinct from $1 and s.namespace is not distinct from $2 and s.user_id is not distinct from $3
    and s.id <> all ($4::text[])
  order by s.id
  for update
),
gone as (
  delete from "pgstash".session s where s.ctid = any (array(select d.ctid from doomed d))
)
select count(*) from doomed d where d.is_live
