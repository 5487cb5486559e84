-- $1: the quoted schema
select current_setting('server_version_num')::integer,
  to_regnamespace($1) is not null,
  to_regclass($1 || '.migration') is not null
