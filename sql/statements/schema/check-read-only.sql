-- A standby, or where somebody has said so of the role, the database or the connection.
select pg_catalog.current_setting('transaction_read_only') = 'on'
