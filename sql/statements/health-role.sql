-- $1: the schema. As check-isolation.sql, also where the tables are not there; then how many there are, and the rights that are missing for everyday work.
select r.rolname::text, r.rolsuper, r.rolbypassrls,
  coalesce(bool_or(pg_has_role(c.relowner, 'member')), false),
  count(c.oid) filter (where c.relrowsecurity and c.relforcerowsecurity) = 4,
  coalesce(bool_and(has_schema_privilege(n.oid, 'usage')), true),
  (
    select coalesce(string_agg(p.privilege || ' on ' || t.relname, ', ' order by t.relname, p.privilege), '')
    from pg_class t
    join pg_namespace s on s.oid = t.relnamespace
    cross join (values ('select'), ('insert'), ('update'), ('delete')) as p (privilege)
    where s.nspname = $1 and t.relname in ('entry', 'namespace', 'session', 'counter')
      and not (t.relname = 'namespace' and p.privilege = 'delete')
      and not has_table_privilege(t.oid, p.privilege)
  )
from pg_roles r
left join pg_namespace n on n.nspname = $1
left join pg_class c on c.relnamespace = n.oid and c.relname in ('entry', 'namespace', 'session', 'counter')
where r.rolname = current_user
group by r.rolname, r.rolsuper, r.rolbypassrls
