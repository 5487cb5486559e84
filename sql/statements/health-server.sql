-- What the server says of itself. Any role may ask.
select
  pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::integer,
  pg_catalog.pg_encoding_to_char(d.encoding)::text, pg_catalog.current_setting('TimeZone'),
  pg_catalog.current_setting('track_counts')::boolean, pg_catalog.current_setting('autovacuum')::boolean,
  pg_catalog.current_setting('max_connections')::integer,
  -- The second exists from PostgreSQL 16 on.
  pg_catalog.current_setting('superuser_reserved_connections')::integer
    + coalesce(pg_catalog.current_setting('reserved_connections', true), '0')::integer,
  coalesce((select pg_catalog.sum(s.numbackends) from pg_catalog.pg_stat_database s), 0)::integer,
  pg_catalog.pg_is_in_recovery()
from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
