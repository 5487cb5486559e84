select pg_catalog.count(*) from "pgstash".session s
where s.tenant = $1 and s.namespace = $2 and s.expires_at > "pgstash".now_ms()
