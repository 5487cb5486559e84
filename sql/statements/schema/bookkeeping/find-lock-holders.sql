-- $1: the schema. Transactions that hold a lock on something in it, or the migrators' lock, oldest first. Of other roles' transactions a role without
-- pg_read_all_stats sees neither age nor state.
select l.pid, coalesce(a.usename, '')::text, coalesce(a.application_name, ''), a.state,
  (extract(epoch from pg_catalog.clock_timestamp() - a.xact_start) * 1000::numeric)::bigint
from (
  select distinct l.pid
  from pg_catalog.pg_locks l
  where l.granted and l.pid <> pg_catalog.pg_backend_pid()
    and l.database = (select d.oid from pg_catalog.pg_database d where d.datname = pg_catalog.current_database())
    and (
      l.relation in (
        select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace where n.nspname = $1::text and c.relkind in ('r', 'v', 'S')
      )
      or (l.locktype = 'advisory' and l.objsubid = 1
        and (l.classid::bigint << 32) | l.objid::bigint = pg_catalog.hashtextextended('pgstash:'::text || $1::text, 0))
    )
) l
join pg_catalog.pg_stat_activity a on a.pid = l.pid
order by a.xact_start nulls last, l.pid
limit 5
