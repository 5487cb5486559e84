-- Tenants, namespaces, and the bit of what they are used for (0015). In an order that all processes share.
select tenant, namespace, uses, marked from "pgstash".near_mark($1, $2, $3)
