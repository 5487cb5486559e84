-- $4 what the keys of the range begin with.
select removed, live, last_key from "pgstash".delete_prefix_told($1, $2, $3, "pgstash".prefix_end($4), $5, $6, $7, $8)
