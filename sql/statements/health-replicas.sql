select count(*)::integer from pg_stat_replication
