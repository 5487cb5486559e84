select "pgstash".sweep_tags($1, $2)
