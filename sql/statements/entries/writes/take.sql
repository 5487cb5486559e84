select ord, format, value from "pgstash".take_entries($1, $2, $3)
