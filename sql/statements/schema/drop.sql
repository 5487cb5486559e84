drop schema if exists "pgstash" cascade
