-- The bell has the name of the schema.
listen "pgstash"
