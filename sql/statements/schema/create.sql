create schema if not exists "pgstash"
