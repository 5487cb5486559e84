-- $1: the schema. Read from the catalogue, so that it is answered to roles without rights on the tables.
select c.relname::text, c.relpersistence = 'u', pg_catalog.pg_relation_size(c.oid) / pg_catalog.current_setting('block_size')::bigint,
  coalesce(s.n_live_tup, 0), coalesce(s.n_dead_tup, 0), coalesce(s.n_tup_upd, 0), coalesce(s.n_tup_hot_upd, 0),
  (extract(epoch from greatest(s.last_autovacuum, s.last_vacuum)) * 1000::numeric)::bigint,
  coalesce((select o.option_value::boolean from pg_catalog.pg_options_to_table(c.reloptions) o where o.option_name = 'autovacuum_enabled'), true)
from pg_catalog.pg_class c
join pg_catalog.pg_namespace n on n.oid = c.relnamespace
left join pg_catalog.pg_stat_all_tables s on s.relid = c.oid
where n.nspname = $1 and c.relkind = 'r' and c.relname in ('entry', 'namespace', 'session', 'counter', 'lock', 'tag', 'lease')
order by c.relname
