select ord, format, value from "pgstash".read_namespace($1, $2, $3)
