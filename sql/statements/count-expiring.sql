-- Sessions and counters, alive and expired. $1 the percentage of blocks that is read, 100 for all.
select
  count(*) filter (where s.expires_at > "pgstash".now_ms()), count(*) filter (where s.expires_at <= "pgstash".now_ms()),
  (select count(*) from "pgstash".counter c tablesample system ($1) where c.expires_at > "pgstash".now_ms()),
  (select count(*) from "pgstash".counter c tablesample system ($1) where c.expires_at <= "pgstash".now_ms())
from "pgstash".session s tablesample system ($1)
