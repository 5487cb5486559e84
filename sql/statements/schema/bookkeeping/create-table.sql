create table if not exists "pgstash".migration (
  id          integer primary key,
  name        text not null,
  applied_at  timestamptz not null default pg_catalog.now()
)
