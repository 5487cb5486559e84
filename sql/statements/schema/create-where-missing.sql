-- Where there is one, its owner needs no right to make schemas: "create schema if not exists" asks for it before it looks.
do $$
begin
  if pg_catalog.to_regnamespace('"pgstash"') is null then
    create schema "pgstash";
  end if;
end $$
