-- Alive. $1 the tenant, $2 the name of a limiter, or null for all. A namespace of counters is name/algorithm/window, of a limiter of logins
-- name/what it counts by/algorithm/window; a name may have slashes of its own: api is not api/admin.
select pg_catalog.count(*) from "pgstash".counter c
where c.tenant = $1 and c.expires_at > "pgstash".now_ms()
  and ($2::text is null or pg_catalog.starts_with(c.namespace, $2 || '/') and pg_catalog.substr(c.namespace, pg_catalog.length($2) + 2)
    ~ '^((username|usernameAndIp|ip)/)?(fixed-window|sliding-window|gcra)/[^/]+$')
