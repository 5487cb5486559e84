select seen, evicted, last_namespace, last_key from "pgstash".evict_written($1, $2, $3, $4, $5, $6, $7, $8)
