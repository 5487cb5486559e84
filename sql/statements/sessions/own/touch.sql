select "pgstash".touch_sessions_told($1, $2, $3, $4, $5, $6, $7)
