-- For the policies of row-level security, until the transaction ends.
select pg_catalog.set_config('pgstash.tenant', $1, true)
