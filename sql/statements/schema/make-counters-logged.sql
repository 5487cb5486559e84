alter table "pgstash".counter set logged
