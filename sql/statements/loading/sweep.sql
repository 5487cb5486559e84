select "pgstash".sweep_leases($1, $2)
