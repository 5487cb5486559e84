select "pgstash".delete_counters($1, $2, $3)
