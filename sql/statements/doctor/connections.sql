-- Every limit that a new connection of this role meets, how many connections count against it, and how many of those are of other roles than this one and $1
-- (of maintenance); -1: none. A superuser meets the server's only.
select l.kind, l.name, l.most, l.used, greatest(0, l.used - l.own)
from pg_catalog.pg_roles r
join pg_catalog.pg_database d on d.datname = pg_catalog.current_database()
cross join lateral (values
  (
    'server', '',
    pg_catalog.current_setting('max_connections')::integer
      -- The second exists from PostgreSQL 16 on.
      - pg_catalog.current_setting('superuser_reserved_connections')::integer
      - coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::integer,
    (select coalesce(pg_catalog.sum(s.numbackends), 0)::integer from pg_catalog.pg_stat_database s),
    (select pg_catalog.count(*)::integer from pg_catalog.pg_stat_activity a where a.usename::text in (current_user::text, $1::text))
  ),
  (
    'database', d.datname::text, case when r.rolsuper then -1 else d.datconnlimit end,
    (select coalesce(pg_catalog.sum(s.numbackends), 0)::integer from pg_catalog.pg_stat_database s where s.datid = d.oid),
    (select pg_catalog.count(*)::integer from pg_catalog.pg_stat_activity a where a.datid = d.oid and a.usename::text in (current_user::text, $1::text))
  ),
  (
    'role', r.rolname::text, case when r.rolsuper then -1 else r.rolconnlimit end,
    (select pg_catalog.count(*)::integer from pg_catalog.pg_stat_activity a where a.usesysid = r.oid),
    (select pg_catalog.count(*)::integer from pg_catalog.pg_stat_activity a where a.usesysid = r.oid)
  )
) as l (kind, name, most, used, own)
where r.rolname = current_user and l.most >= 0
