-- $4 what the keys of the range begin with.
select stored_key, key, format, value from "pgstash".scan_entries($1, $2, $3, "pgstash".prefix_end($4), $5, $6, $7, $8, $9)
