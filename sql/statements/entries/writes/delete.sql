select ord from "pgstash".delete_entries($1, $2, $3)
