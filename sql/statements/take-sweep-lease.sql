-- $1 holder, $2 for how long, $3 how long ago the last turn must be, in milliseconds. A row: it is the caller's now.
update "pgstash".sweep s set holder = $1, leased_until = "pgstash".now_ms() + $2::bigint
where s.name = 'sweeper'
  and (s.leased_until <= "pgstash".now_ms() or s.holder = $1)
  and s.finished_at <= "pgstash".now_ms() - $3::bigint
returning s.name
