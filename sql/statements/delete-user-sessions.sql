-- The sessions of a user but those in $4, locked in the order of all who write sessions; answers how many were alive.
with doomed as materialized (
  select s.id, s.expires_at > "pgstash".now_ms() as is_live
  from "pgstash".session s
  where s.tenant = $1 and s.namespace = $2 and s.user_id = $3 and s.id <> all ($4::text[])
  order by s.id
  for update
),
gone as (
  delete from "pgstash".session s
  using doomed d
  where s.tenant = $1 and s.namespace = $2 and s.id = d.id and s.user_id = $3
  returning d.is_live
)
select count(*) from gone g where g.is_live
