select ord from "pgstash".touch_entries_told($1, $2, $3, $4, $5)
