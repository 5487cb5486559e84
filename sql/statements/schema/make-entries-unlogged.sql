-- Tags are kept as entries are.
do $$
begin
  alter table "pgstash".entry set unlogged;
  alter table "pgstash".tag set unlogged;
end $$
