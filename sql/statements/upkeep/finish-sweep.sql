-- $1 how many rows were removed; $2 who holds the lease, which ends, or null for a turn that is not by the clock.
insert into "pgstash".sweep as s (name, finished_at, removed) values ('sweeper', "pgstash".now_ms(), $1)
on conflict (name) do update set finished_at = excluded.finished_at, removed = excluded.removed,
  turned_at = case when s.holder = $2 then excluded.finished_at else s.turned_at end,
  leased_until = case when s.holder = $2 then 0 else s.leased_until end
