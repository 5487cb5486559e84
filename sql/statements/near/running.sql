-- One a line: a prepared transaction's name may hold anything else, and only whether it is still there matters.
select pg_catalog.array_to_string("pgstash".near_running(), E'\n')
