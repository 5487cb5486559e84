select pg_catalog.count(*)::integer from pg_catalog.pg_stat_replication
