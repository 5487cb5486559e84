-- $9 the namespaces of the rows' tags ('': of the whole tenant), $10 the tags of each row, an array as text; $12 the graces in milliseconds, null for a row without; null: none has any
select version from "pgstash".set_tagged_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
