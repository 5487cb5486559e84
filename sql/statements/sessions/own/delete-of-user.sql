select "pgstash".delete_user_sessions($1, $2, $3, $4)
