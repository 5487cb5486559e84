-- one migrator at a time in this database and schema; let go at commit
select pg_catalog.pg_advisory_xact_lock(pg_catalog.hashtextextended('pgstash:' || $1, 0))
