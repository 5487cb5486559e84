-- What no schema names means pg_catalog's, whatever the role, the database or the pool has for a search_path: a schema that others may create in
-- could hold a function or an operator that fits better, and would be run with this role's rights. Until the transaction ends.
set local search_path = pg_catalog, pg_temp
