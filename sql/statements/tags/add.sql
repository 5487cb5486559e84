-- $8 and $9 as $9 and $10 of set.sql
select ord, version from "pgstash".add_tagged_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
