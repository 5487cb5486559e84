select ord, version from "pgstash".add_entries_told($1, $2, $3, $4, $5, $6, $7, $8)
