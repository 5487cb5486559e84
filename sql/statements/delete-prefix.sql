select removed, live from "pgstash".delete_prefix($1, $2, $3, $4, $5, $6, $7)
