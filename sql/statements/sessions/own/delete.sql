select ord from "pgstash".delete_sessions($1, $2, $3)
