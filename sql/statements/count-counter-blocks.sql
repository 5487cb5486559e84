select pg_relation_size('"pgstash".counter'::regclass) / current_setting('block_size')::bigint
