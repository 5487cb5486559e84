-- Entries: the table with its TOAST, its indexes, whether it is unlogged, and its blocks; then sessions and counters: with their indexes, and their blocks.
select pg_catalog.pg_table_size(c.oid), pg_catalog.pg_indexes_size(c.oid), c.relpersistence = 'u', pg_catalog.pg_relation_size(c.oid) / b.size,
  pg_catalog.pg_total_relation_size('"pgstash".session'::regclass), pg_catalog.pg_relation_size('"pgstash".session'::regclass) / b.size,
  pg_catalog.pg_total_relation_size('"pgstash".counter'::regclass), pg_catalog.pg_relation_size('"pgstash".counter'::regclass) / b.size
from pg_catalog.pg_class c
cross join (select pg_catalog.current_setting('block_size')::bigint as size) b
where c.oid = '"pgstash".entry'::regclass::oid
