select ord, is_set, version from "pgstash".replace_sessions_told($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
