select "pgstash".enforce_row_level_security()
