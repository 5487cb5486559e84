select "pgstash".near_keep($1)
