-- $9 the namespaces of the rows' tags ('': of the whole tenant), $10 the tags of each row, an array as text
select version from "pgstash".set_tagged_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
