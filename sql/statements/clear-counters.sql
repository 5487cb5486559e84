-- Forgets all counters of some namespaces of a tenant.
delete from "pgstash".counter c where c.tenant = $1 and c.namespace = any ($2::text[])
