-- What the server says of itself. Any role may ask.
select
  current_setting('server_version'), current_setting('server_version_num')::integer,
  pg_encoding_to_char(d.encoding)::text, current_setting('TimeZone'),
  current_setting('track_counts')::boolean, current_setting('autovacuum')::boolean,
  current_setting('max_connections')::integer,
  -- The second exists from PostgreSQL 16 on.
  current_setting('superuser_reserved_connections')::integer
    + coalesce(current_setting('reserved_connections', true), '0')::integer,
  coalesce((select sum(s.numbackends) from pg_stat_database s), 0)::integer,
  pg_is_in_recovery()
from pg_database d where d.datname = current_database()
