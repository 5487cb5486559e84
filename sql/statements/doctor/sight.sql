-- Whether a statement that names no tenant sees anything.
select exists (select from "pgstash".entry) or exists (select from "pgstash".session) or exists (select from "pgstash".counter)
