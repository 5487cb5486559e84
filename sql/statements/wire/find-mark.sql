select pg_catalog.current_setting('pgstash.mark', true) = 'here'
