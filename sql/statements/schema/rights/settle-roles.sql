select "pgstash".settle_roles()
