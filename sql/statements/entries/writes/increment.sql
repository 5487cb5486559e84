select ord, value from "pgstash".increment_entries($1, $2, $3, $4, $5, $6)
