select "pgstash".sweep_sessions($1, $2)
