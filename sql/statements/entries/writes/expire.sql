select ord from "pgstash".expire_entries($1, $2, $3, $4)
