-- $4 tokens, $5 formats and $6 values (null: what is there stays), $7 ttls, $8 graces, in milliseconds; $9 the namespaces of the tags, $10 the tags of the claim, $11 those that the load added; $12
-- the number of the write.
select ord, version from "pgstash".store_loads($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
