-- $1: the schema. As check-isolation.sql, also where the tables are not there; then whether the role may use the schema, the rights that are missing for
-- everyday work, whether it has none of them at all, and whether it is there to monitor.
with needed as (
  select t.relname, p.privilege,
    case t.relkind when 'S' then pg_catalog.has_sequence_privilege(t.oid, p.privilege) else pg_catalog.has_table_privilege(t.oid, p.privilege) end as is_held
  from (values
    ('entry', array['select', 'insert', 'update', 'delete']),
    ('session', array['select', 'insert', 'update', 'delete']),
    ('counter', array['select', 'insert', 'update', 'delete']),
    ('namespace', array['select', 'insert', 'update']),
    ('sweep', array['select', 'insert', 'update']),
    ('migration', array['select']),
    ('version', array['usage'])
  ) as n (name, privileges)
  join pg_catalog.pg_class t on t.relname = n.name and t.relkind in ('r', 'S')
  join pg_catalog.pg_namespace s on s.oid = t.relnamespace and s.nspname = $1
  cross join pg_catalog.unnest(n.privileges) as p (privilege)
  -- Under row-level security the sweep is the owner's.
  where n.name <> 'sweep' or not exists (
    select from pg_catalog.pg_class e where e.relnamespace = s.oid and e.relname = 'entry' and e.relforcerowsecurity
  )
)
select r.rolname::text, r.rolsuper, r.rolbypassrls,
  coalesce(pg_catalog.bool_or(pg_catalog.pg_has_role(c.relowner, 'member')), false),
  pg_catalog.count(c.oid) filter (where c.relrowsecurity and c.relforcerowsecurity) = 4,
  coalesce(pg_catalog.bool_and(pg_catalog.has_schema_privilege(n.oid, 'usage')), true),
  (
    select coalesce(pg_catalog.string_agg(d.privilege || ' on ' || d.relname::text, ', ' order by d.relname, d.privilege) filter (where not d.is_held), '')
    from needed d
  ),
  (select coalesce(not pg_catalog.bool_or(d.is_held), false) from needed d),
  pg_catalog.pg_has_role('pg_monitor', 'member')
from pg_catalog.pg_roles r
left join pg_catalog.pg_namespace n on n.nspname = $1
left join pg_catalog.pg_class c on c.relnamespace = n.oid and c.relname in ('entry', 'namespace', 'session', 'counter')
where r.rolname = current_user
group by r.rolname, r.rolsuper, r.rolbypassrls
