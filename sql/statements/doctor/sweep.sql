-- When the last whole turn ended, and the last one by the clock (0: never), what the first of them removed, whether somebody sweeps by the clock now, and
-- what time it is. A row also where nobody has swept yet.
select coalesce(pg_catalog.max(s.finished_at), 0), coalesce(pg_catalog.max(s.turned_at), 0), coalesce(pg_catalog.max(s.removed), 0),
  coalesce(pg_catalog.bool_or(s.holder is not null and s.leased_until > "pgstash".now_ms()), false), "pgstash".now_ms()
from "pgstash".sweep s where s.name = 'sweeper'
