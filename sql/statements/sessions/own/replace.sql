select ord, is_set, version from "pgstash".replace_sessions($1, $2, $3, $4, $5, $6, $7, $8, $9)
