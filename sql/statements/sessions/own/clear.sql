select "pgstash".clear_sessions($1, $2, $3)
