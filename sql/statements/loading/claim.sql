-- $4 long keys, $5 the namespaces of the tags ('': of the whole tenant), $6 the tags of each key, an array as text; $7 for how long they will be needed, $8 the lease (null: nothing is claimed),
-- $9 how long the load may take, in milliseconds; $10 what has no more milliseconds left is not fresh; $11 whether the lease is taken from whoever has it.
select ord, is_fresh, token, left_ms, format, value, version, expires_at from "pgstash".claim_loads($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
