alter table "pgstash".entry set unlogged
