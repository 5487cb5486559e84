-- As tags/set.sql; $12 the graces in milliseconds, null or 0: none.
select version from "pgstash".set_graced_entries($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
