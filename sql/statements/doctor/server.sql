-- What the server says of itself. Any role may ask.
select
  pg_catalog.current_setting('server_version'), pg_catalog.current_setting('server_version_num')::integer,
  pg_catalog.pg_encoding_to_char(d.encoding)::text, pg_catalog.current_setting('TimeZone'),
  pg_catalog.current_setting('track_counts')::boolean, pg_catalog.current_setting('autovacuum')::boolean,
  pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')::boolean,
  pg_catalog.current_setting('default_transaction_isolation')
from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()
