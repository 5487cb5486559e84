-- $1 the tenant, $2 the name, $3 a number of the holder's own, $4 the lease in milliseconds, $5 whether the caller will ask again. token null: somebody else holds it.
select token, left_ms from "pgstash".take_lock($1, $2, $3, $4, $5)
