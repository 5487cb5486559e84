-- One session: for a lone caller.
select s.data, s.cookie, s.expires_at - "pgstash".now_ms(), s.version
from "pgstash".session s
where s.tenant = $1 and s.namespace = $2 and s.id = $3 and s.expires_at > "pgstash".now_ms()
