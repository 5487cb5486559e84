-- A page of live sessions in the order of their ids, behind $3.
select s.id, coalesce(s.long_id, s.id), s.data, s.cookie, s.expires_at - "pgstash".now_ms(), s.version
from "pgstash".session s
where s.tenant = $1 and s.namespace = $2 and s.id > $3 and s.expires_at > "pgstash".now_ms()
order by s.id
limit $4
