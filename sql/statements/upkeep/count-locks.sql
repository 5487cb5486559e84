-- Locks that somebody holds, and the bytes of their table with its indexes. A row is gone an hour after its lease, so that there are few.
select pg_catalog.count(*), pg_catalog.pg_total_relation_size('"pgstash".lock'::regclass)
from "pgstash".lock l where l.leased_until > "pgstash".now_ms()
