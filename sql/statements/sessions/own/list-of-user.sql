-- The live sessions of a user. "is not distinct from": the primary key shall not answer (see user_key and its index).
select s.id, coalesce(s.long_id, s.id), s.data, s.cookie, s.expires_at - "pgstash".now_ms(), s.version
from "pgstash".session s
where s.user_key = $1::text || E'\x01' || $2::text || E'\x01' || $3::text
  and s.tenant is not distinct from $1 and s.namespace is not distinct from $2 and s.user_id is not distinct from $3
  and s.expires_at > "pgstash".now_ms()
order by s.id
