-- $1: the schema. Read from the catalogue's tables, not by to_regclass(): that may answer from a cache which a session
-- that has just waited for the migrators' lock has not brought up to date.
select pg_catalog.current_setting('server_version_num')::integer,
  exists (select from pg_catalog.pg_namespace n where n.nspname = $1),
  exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
    where n.nspname = $1 and c.relname = 'migration'
  )
