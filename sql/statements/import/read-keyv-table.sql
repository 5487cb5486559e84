-- The filter comes behind the limit: a page is so many rows of the index whatever matches, and no statement runs long.
select page.key, page.namespace, filter.is_wanted, case when filter.is_wanted then page.value end, page.expires
from (select null::text as namespace, null::bigint as expires) absent
-- Before version 6 the table has neither column: the names then mean those of "absent".
cross join lateral (
  select e.key::text, coalesce(namespace::text, '') as namespace, e.value::text, expires::bigint
  from "pgstash"."connect_session" e
  -- The third member makes the first page (-1) begin with the least key, and the others behind the last one (0).
  where (e.key::text, coalesce(namespace, '')::text, 0) > ($1, $2, $3::integer)
  order by e.key, coalesce(namespace, '')
  limit $6
) page
cross join lateral (select coalesce(nullif(page.namespace, '') || ':', '') || page.key as key) keyv5
cross join lateral (
  select ($4::text is null or pg_catalog.starts_with(keyv5.key, $4)) and ($5::text is null or keyv5.key ~ $5) as is_wanted
) filter
