-- All of a tenant, dead rows and generations included.
select (select count(*) from "pgstash".entry where tenant = $1) + (select count(*) from "pgstash".session where tenant = $1)
  + (select count(*) from "pgstash".counter where tenant = $1) + (select count(*) from "pgstash".namespace where tenant = $1)
