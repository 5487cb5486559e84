-- Alive. $1 the tenant, $2 the name of a limiter, or null for all. A namespace of counters is name/algorithm/window.
select count(*) from "pgstash".counter c
where c.tenant = $1 and c.expires_at > "pgstash".now_ms()
  and ($2::text is null or c.namespace = $2 or starts_with(c.namespace, $2 || '/'))
