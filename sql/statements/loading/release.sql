-- $4 tokens, $5 for so many milliseconds nobody is to try again, where there is something stale to serve.
select ord from "pgstash".release_leases($1, $2, $3, $4, $5)
