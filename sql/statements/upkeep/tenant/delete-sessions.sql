-- $1 the tenant, $2 one namespace of it, or null for all, $3 how many at most. Answers how many went, and how many of them were alive.
select removed, live from "pgstash".delete_tenant_sessions($1, $2, $3)
