-- $2 is '' to clear the whole tenant. It answers a row: PGlite tells by one in which transaction it ran
insert into "pgstash".namespace as n (tenant, namespace, generation)
values ($1, $2, 1)
on conflict (tenant, namespace) do update set generation = n.generation + 1
returning n.generation
