-- $1: the schema. What check-isolation.sql does not say of the current role, also where the tables are not there: whether it may use the schema; whether it may
-- call compare_rights() (null: there is none); whether it has any right on the entries; whether it is there to monitor; whether row-level security is forced on
-- some table at least.
select
  coalesce(pg_catalog.has_schema_privilege(n.oid, 'usage'), true),
  pg_catalog.has_function_privilege(f.oid, 'execute'),
  coalesce(pg_catalog.has_any_column_privilege(e.oid, 'select, insert, update') or pg_catalog.has_table_privilege(e.oid, 'delete'), false),
  pg_catalog.pg_has_role('pg_monitor', 'member'),
  exists (select from pg_catalog.pg_class c where c.relnamespace = n.oid and c.relkind = 'r' and c.relrowsecurity and c.relforcerowsecurity)
from (select) as one
left join pg_catalog.pg_namespace n on n.nspname = $1
left join pg_catalog.pg_class e on e.relnamespace = n.oid and e.relname = 'entry'
left join pg_catalog.pg_proc f on f.pronamespace = n.oid and f.proname = 'compare_rights'
