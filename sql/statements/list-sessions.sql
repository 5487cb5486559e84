-- A page of live sessions in the order of their ids, behind $3; of one user, unless $4 is null.
select s.id, coalesce(s.long_id, s.id), s.data, s.cookie, s.expires_at - "pgstash".now_ms(), s.version
from "pgstash".session s
where s.tenant = $1 and s.namespace = $2 and s.id > $3 and ($4::text is null or s.user_id = $4)
  and s.expires_at > "pgstash".now_ms()
order by s.id
limit $5
