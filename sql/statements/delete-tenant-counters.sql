-- As count-tenant-counters.sql and delete-tenant-sessions.sql.
with gone as (
  delete from "pgstash".counter c
  where c.ctid = any (array(
    select d.ctid from "pgstash".counter d
    where d.tenant = $1
      and ($2::text is null or starts_with(d.namespace, $2 || '/') and substr(d.namespace, length($2) + 2)
        ~ '^((username|usernameAndIp|ip)/)?(fixed-window|sliding-window|gcra)/[^/]+$')
    order by d.namespace, d.key limit $3 for update
  ))
  returning c.expires_at
)
select count(*), count(*) filter (where g.expires_at > "pgstash".now_ms()) from gone g
