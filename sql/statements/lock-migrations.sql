-- one migrator at a time in this database and schema; let go at commit
select pg_advisory_xact_lock(hashtextextended('pgstash:' || $1, 0))
