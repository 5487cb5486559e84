-- Namespaces that are marked (0015), how many of them wait for a transaction that is older than the mark; rows of the log (a million at most), its bytes, and how long ago its last
-- turn was made, in milliseconds (null: nobody has read it).
select
  (select pg_catalog.count(*) from "pgstash".namespace n where n.namespace <> '' and n.uses & 5 <> 0),
  (select pg_catalog.count(*) from "pgstash".namespace n where n.namespace <> '' and (n.uses & 9 = 1 or n.uses & 20 = 4)),
  (select pg_catalog.count(*) from (select 1 from "pgstash".invalidation limit 1000000) l),
  pg_catalog.pg_total_relation_size('"pgstash".invalidation'::regclass),
  (select "pgstash".now_ms() - i.turned_at from "pgstash".incarnation i where i.turned_at > 0)
