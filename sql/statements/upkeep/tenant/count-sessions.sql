-- Alive. $1 the tenant, $2 one namespace of it, or null for all.
select pg_catalog.count(*) from "pgstash".session s
where s.tenant = $1 and ($2::text is null or s.namespace = $2) and s.expires_at > "pgstash".now_ms()
