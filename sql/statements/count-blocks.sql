select pg_relation_size('"pgstash".entry'::regclass) / current_setting('block_size')::bigint
