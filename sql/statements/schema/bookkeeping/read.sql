-- $1: the schema. What was applied, and whether row-level security is forced.
select coalesce(pg_catalog.max(m.id), 0), exists (
  select from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace
  where n.nspname = $1 and c.relname = 'entry' and c.relforcerowsecurity
)
from "pgstash".migration m
