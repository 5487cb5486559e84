-- The first who reads the log says which one it is.
insert into "pgstash".incarnation (is_one) values (true) on conflict do nothing returning 1
