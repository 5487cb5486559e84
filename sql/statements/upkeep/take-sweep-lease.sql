-- $1 holder, $2 for how long, $3 how long ago the last turn by the clock must be, in milliseconds. A row: it is the caller's now. What is further ahead than
-- anybody could have written it is of a clock that was set back.
insert into "pgstash".sweep as s (name, holder, leased_until) values ('sweeper', $1, "pgstash".now_ms() + $2::bigint)
on conflict (name) do update set holder = excluded.holder, leased_until = excluded.leased_until
where (s.leased_until <= "pgstash".now_ms() or s.leased_until > "pgstash".now_ms() + 10 * $2::bigint or s.holder = excluded.holder)
  and (s.turned_at <= "pgstash".now_ms() - $3::bigint or s.turned_at > "pgstash".now_ms() + 60000)
returning s.name
