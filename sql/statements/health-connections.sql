-- Every limit that a new connection of this role meets, and how many connections count against it; -1: none. A superuser meets the server's only.
select l.kind, l.name, l.most, l.used
from pg_catalog.pg_roles r
join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
cross join lateral (values
  (
    'server', '',
    pg_catalog.current_setting('max_connections')::integer
      -- The second exists from PostgreSQL 16 on.
      - pg_catalog.current_setting('superuser_reserved_connections')::integer
      - coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::integer,
    (select coalesce(pg_catalog.sum(s.numbackends), 0)::integer from pg_catalog.pg_stat_database s)
  ),
  (
    'database', d.datname::text, case when r.rolsuper then -1 else d.datconnlimit end,
    (select coalesce(pg_catalog.sum(s.numbackends), 0)::integer from pg_catalog.pg_stat_database s where s.datid = d.oid)
  ),
  (
    'role', r.rolname::text, case when r.rolsuper then -1 else r.rolconnlimit end,
    (select pg_catalog.count(*)::integer from pg_catalog.pg_stat_activity a where a.usesysid = r.oid)
  )
) as l (kind, name, most, used)
where r.rolname = current_user and l.most >= 0
