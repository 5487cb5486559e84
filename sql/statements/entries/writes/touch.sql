select ord from "pgstash".touch_entries($1, $2, $3, $4)
