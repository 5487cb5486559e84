select "pgstash".sweep_counters($1, $2)
