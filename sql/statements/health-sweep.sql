-- When the last whole turn ended (0: never), what it removed, whether somebody sweeps by the clock now, and what time it is.
select s.finished_at, s.removed, s.holder is not null and s.leased_until > "pgstash".now_ms(), "pgstash".now_ms()
from "pgstash".sweep s where s.name = 'sweeper'
