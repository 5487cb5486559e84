select "pgstash".clear_counters($1, $2, $3, $4, $5)
