select removed, live, last_key from "pgstash".delete_prefix($1, $2, $3, $4, $5, $6, $7)
