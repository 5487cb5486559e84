-- Live entries that are stored under one of the tags $3: of the namespace $2, or, where that is '', of the whole tenant's tags. It reads all entries of the namespace, or of the tenant.
select pg_catalog.count(*)
from "pgstash".entry e
left join "pgstash".namespace t on t.tenant = $1 and t.namespace = ''
left join "pgstash".namespace n on n.tenant = $1 and n.namespace = e.namespace
where e.tenant = $1 and ($2::text = '' or e.namespace = $2) and e.generation < 0
  and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and ~e.generation = coalesce(t.generation, 0) + coalesce(n.generation, 0)
  and e.tags && array(select a.generation from "pgstash".tag a where a.tenant = $1 and a.namespace = $2 and a.tag = any ($3::text[]))
  and "pgstash".tags_hold($1, e.tags)
