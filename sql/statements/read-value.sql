select format, value from "pgstash".read_value($1, $2, $3)
