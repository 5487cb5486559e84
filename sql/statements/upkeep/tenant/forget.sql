-- Every row of a tenant, its generations and tags too: only for a tenant that nobody writes to any more. Answers how many rows of entries, sessions and counters there were.
with e as (delete from "pgstash".entry where tenant = $1 returning 1),
  s as (delete from "pgstash".session where tenant = $1 returning 1),
  c as (delete from "pgstash".counter where tenant = $1 returning 1),
  a as (delete from "pgstash".tag where tenant = $1 returning 1),
  -- With the marks of its namespaces: whoever holds something of them lets go of all, and marks them anew.
  t as (
    insert into "pgstash".invalidation (kind, digests)
    select 't', array["pgstash".near_digest($1)] from "pgstash".namespace n where n.tenant = $1 and n.namespace = '' and n.uses <> 0
  ),
  d as (delete from "pgstash".lease where tenant = $1 returning 1),
  l as (delete from "pgstash".lock where tenant = $1 returning 1),
  n as (delete from "pgstash".namespace where tenant = $1 returning 1)
select (select pg_catalog.count(*) from e) + (select pg_catalog.count(*) from s) + (select pg_catalog.count(*) from c) + 0 * (select pg_catalog.count(*) from n)
