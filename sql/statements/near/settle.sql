-- Nobody runs any more who may have looked at these namespaces before they were marked by the transactions $3; $4 the bit that says so (0015).
update "pgstash".namespace n set uses = n.uses | $4::integer
from unnest((select $1::text[]), (select $2::text[]), (select $3::text[])) as k (tenant, namespace, marked)
where n.tenant = k.tenant and n.namespace = k.namespace and n.marked = k.marked::xid8
returning 1
