select ord, ttl from "pgstash".read_ttls($1, $2, $3)
