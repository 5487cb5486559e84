-- Sessions and counters, alive and expired. $1 and $2 the percentages of their blocks that are read, 100 for all.
select s.live, s.expired, c.live, c.expired
from (
  select pg_catalog.count(*) filter (where s.expires_at > "pgstash".now_ms()) as live, pg_catalog.count(*) filter (where s.expires_at <= "pgstash".now_ms()) as expired
  from "pgstash".session s tablesample pg_catalog.system ($1)
) s
cross join (
  select pg_catalog.count(*) filter (where c.expires_at > "pgstash".now_ms()) as live, pg_catalog.count(*) filter (where c.expires_at <= "pgstash".now_ms()) as expired
  from "pgstash".counter c tablesample pg_catalog.system ($2)
) c
