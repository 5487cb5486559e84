-- All of a tenant, dead rows and generations and tags included.
select (select pg_catalog.count(*) from "pgstash".entry where tenant = $1) + (select pg_catalog.count(*) from "pgstash".session where tenant = $1)
  + (select pg_catalog.count(*) from "pgstash".counter where tenant = $1) + (select pg_catalog.count(*) from "pgstash".lock where tenant = $1)
  + (select pg_catalog.count(*) from "pgstash".lease where tenant = $1)
  + (select pg_catalog.count(*) from "pgstash".tag where tenant = $1) + (select pg_catalog.count(*) from "pgstash".namespace where tenant = $1)
