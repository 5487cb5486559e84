select expired, cleared from "pgstash".sweep_blocks($1, $2)
