-- Whether the policies hold for the current role. $1: the schema.
select
  r.rolname::text,
  r.rolsuper,
  r.rolbypassrls,
  pg_catalog.bool_or(pg_catalog.pg_has_role(c.relowner, 'member')),
  pg_catalog.count(*) filter (where c.relrowsecurity and c.relforcerowsecurity) = 4
from pg_catalog.pg_roles r
cross join pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
where r.rolname = current_user and n.nspname = $1 and c.relname in ('entry', 'namespace', 'session', 'counter')
group by r.rolname, r.rolsuper, r.rolbypassrls
