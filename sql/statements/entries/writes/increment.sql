select ord, value from "pgstash".increment_entries_told($1, $2, $3, $4, $5, $6, $7)
