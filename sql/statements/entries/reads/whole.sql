select ord, format, value, version, expires_at from "pgstash".read_entries($1, $2, $3)
