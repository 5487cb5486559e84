-- $4 tokens, $5 the lease in milliseconds from now.
select ord from "pgstash".renew_leases($1, $2, $3, $4, $5)
