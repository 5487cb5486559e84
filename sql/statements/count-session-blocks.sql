select pg_relation_size('"pgstash".session'::regclass) / current_setting('block_size')::bigint
