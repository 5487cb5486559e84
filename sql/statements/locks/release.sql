-- $3 the token, $4 the holder's number.
select was_held, is_wanted from "pgstash".release_lock($1, $2, $3, $4)
