select ord from "pgstash".delete_entries_told($1, $2, $3, $4)
