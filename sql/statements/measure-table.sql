-- Entries: the table with its TOAST, its indexes, whether it is unlogged, and its blocks; then sessions and counters, with their indexes.
select pg_table_size(c.oid), pg_indexes_size(c.oid), c.relpersistence = 'u',
  pg_relation_size(c.oid) / current_setting('block_size')::bigint,
  pg_total_relation_size('"pgstash".session'::regclass), pg_total_relation_size('"pgstash".counter'::regclass)
from pg_class c where c.oid = '"pgstash".entry'::regclass
