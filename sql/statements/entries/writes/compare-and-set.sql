select ord, ok, version from "pgstash".compare_and_set_entries_told($1, $2, $3, $4, $5, $6, $7, $8)
