-- As delete-sessions.sql, with the name of a limiter.
select removed, live from "pgstash".delete_tenant_counters($1, $2, $3)
