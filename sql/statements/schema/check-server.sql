-- $1: the schema. Read from the catalogue's tables, not by to_regclass(): that may answer from a cache which a session
-- that has just waited for the migrators' lock has not brought up to date. Then the search_path, with what is in it unsaid: all is spelled out here, for
-- nothing is known of that path yet.
select pg_catalog.current_setting('server_version_num')::pg_catalog.int4,
  exists (select from pg_catalog.pg_namespace n where n.nspname operator(pg_catalog.=) $1),
  exists (
    select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid operator(pg_catalog.=) c.relnamespace
    where n.nspname operator(pg_catalog.=) $1 and c.relname operator(pg_catalog.=) 'migration'
  ),
  pg_catalog.array_to_json(pg_catalog.current_schemas(true))::pg_catalog.text,
  pg_catalog.current_setting('transaction_isolation')
