select written_at, version, namespace, key from "pgstash".quota_cut($1, $2, $3)
