-- $3 the token, $4 the holder's number, $5 the lease in milliseconds from now.
select "pgstash".renew_lock($1, $2, $3, $4, $5)
