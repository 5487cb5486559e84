-- $1 how many rows were removed, $2 the holder of the lease, which ends.
update "pgstash".sweep s set finished_at = "pgstash".now_ms(), removed = $1,
  leased_until = case when s.holder = $2 then 0 else s.leased_until end
where s.name = 'sweeper'
