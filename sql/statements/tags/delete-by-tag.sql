-- $1 the tenant, $2 the namespace, '' for tags of the whole tenant, $3 the tags. One row is written for each, however much is stored under it. Answers the numbers that are void now, and
-- a row in any case: PGlite tells by one in which transaction it ran.
select pg_catalog.array_agg(b.void)::text
from "pgstash".bump_tags(
  pg_catalog.array_fill($1::text, array[pg_catalog.cardinality($3::text[])]), pg_catalog.array_fill($2::text, array[pg_catalog.cardinality($3::text[])]), $3, $4) b
