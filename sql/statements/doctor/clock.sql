select (extract(epoch from pg_catalog.clock_timestamp()) * 1000::numeric)::bigint
