select pg_table_size(c.oid), pg_indexes_size(c.oid), c.relpersistence = 'u'
from pg_class c where c.oid = '"pgstash".entry'::regclass
