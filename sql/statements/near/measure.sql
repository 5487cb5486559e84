-- Namespaces that are marked (0015); rows of the log (a million at most), its bytes, and how long ago the oldest turn that was not given up was made, in milliseconds (null: there is none).
-- What is left in the log was written since, or at most a turn's distance before.
select
  (select pg_catalog.count(*) from "pgstash".namespace n where n.namespace <> '' and n.uses & 5 <> 0),
  (select pg_catalog.count(*) from (select 1 from "pgstash".invalidation limit 1000000) l),
  pg_catalog.pg_total_relation_size('"pgstash".invalidation'::regclass),
  (select "pgstash".now_ms() - pg_catalog.min(t.at) from "pgstash".turn t)
