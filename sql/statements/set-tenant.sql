-- For the policies of row-level security, until the transaction ends.
select set_config('pgstash.tenant', $1, true)
