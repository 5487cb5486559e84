-- $1 the schema, which is what the bell is called; $2 a bell: empty, or "ring " and who rings. Or what a listener tests itself with, which means nothing to others.
select pg_catalog.pg_notify($1, $2)
