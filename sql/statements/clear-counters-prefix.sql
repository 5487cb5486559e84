-- Forgets the counters of a namespace whose keys begin with $3; for people, not for every request.
delete from "pgstash".counter c
where c.tenant = $1 and c.namespace = $2 and starts_with(coalesce(c.long_key, c.key), $3)
