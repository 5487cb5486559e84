select "pgstash".reserve_blocks()
