select ord, format, value from "pgstash".read_values($1, $2, $3)
