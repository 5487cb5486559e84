-- Whether the policies hold for the current role. $1: the schema.
select
  r.rolname::text,
  r.rolsuper,
  r.rolbypassrls,
  bool_or(pg_has_role(c.relowner, 'member')),
  count(*) filter (where c.relrowsecurity and c.relforcerowsecurity) = 4
from pg_roles r
cross join pg_class c
join pg_namespace n on n.oid = c.relnamespace
where r.rolname = current_user and n.nspname = $1 and c.relname in ('entry', 'namespace', 'session', 'counter')
group by r.rolname, r.rolsuper, r.rolbypassrls
