select beyond, evicted from "pgstash".evict_oldest($1, $2, $3, $4)
