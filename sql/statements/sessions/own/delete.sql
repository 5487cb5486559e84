select ord from "pgstash".delete_sessions_told($1, $2, $3, $4)
