-- What row-level security means to the current role. $1: the schema. From the catalogue alone: the role may have no rights yet. The tables are those of tenant_tables().
select
  r.rolname::text, r.rolsuper, r.rolbypassrls,
  coalesce(pg_catalog.bool_or(pg_catalog.pg_has_role(c.relowner, 'member')), false),
  coalesce(pg_catalog.bool_and(c.relrowsecurity and c.relforcerowsecurity), false),
  -- Whether it sees the rows of all tenants.
  coalesce(pg_catalog.bool_and(
    r.rolsuper or r.rolbypassrls or not c.relrowsecurity
    or (not c.relforcerowsecurity and pg_catalog.pg_has_role(c.relowner, 'usage'))
    or exists (
      select from pg_catalog.pg_policy p
      cross join pg_catalog.unnest(p.polroles) as g (id)
      where p.polrelid = c.oid and p.polpermissive and p.polcmd = '*' and pg_catalog.pg_get_expr(p.polqual, p.polrelid) = 'true'
        and case when g.id = 0::oid then true else pg_catalog.pg_has_role(g.id, 'usage') end
    )
  ), true)
from pg_catalog.pg_roles r
left join pg_catalog.pg_namespace n on n.nspname = $1
left join (
  pg_catalog.pg_class c
  join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and a.attnotnull and not a.attisdropped
  join pg_catalog.pg_collation l on l.oid = a.attcollation and l.collname = 'C'
) on c.relnamespace = n.oid and c.relkind = 'r'
where r.rolname = current_user
group by r.rolname, r.rolsuper, r.rolbypassrls
