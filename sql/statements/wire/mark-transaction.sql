select pg_catalog.set_config('pgstash.mark', 'here', true)
