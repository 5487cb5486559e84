select "pgstash".grant_app_role($1)
