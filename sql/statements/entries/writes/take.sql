select ord, format, value from "pgstash".take_entries_told($1, $2, $3, $4)
