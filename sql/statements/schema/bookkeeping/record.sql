insert into "pgstash".migration (id, name) values ($1, $2)
