select "pgstash".sweep_locks($1, $2)
