-- $1 the tenant, $2 one namespace of it, or null for all, $3 how many at most. Answers how many went, and how many of them were alive.
with gone as (
  delete from "pgstash".session s
  where s.ctid = any (array(
    select d.ctid from "pgstash".session d
    where d.tenant = $1 and ($2::text is null or d.namespace = $2)
    order by d.namespace, d.id limit $3 for update
  ))
  returning s.expires_at
)
select count(*), count(*) filter (where g.expires_at > "pgstash".now_ms()) from gone g
