-- For people and reports: what is alive, with its value as jsonb where it is JSON.

-- jsonb refuses what JSON allows (\u0000, lone surrogates): null then, instead of failing the whole query.
create function "pgstash".to_jsonb_or_null(p_value text) returns jsonb
-- not parallel safe: before PostgreSQL 17 a parallel worker may not enter an exception block
language plpgsql immutable
as $$
begin
  return p_value::jsonb;
exception when others then
  return null;
end $$;

create view "pgstash".live_entry as
select
  e.tenant, e.namespace, coalesce(e.long_key, e.key) as key, e.version, e.format, e.value,
  case when e.format <> 'b' then "pgstash".to_jsonb_or_null(e.value) end as json,
  to_timestamp(e.expires_at / 1000.0) as expires_at,
  to_timestamp(e.written_at / 1000.0) as written_at
from "pgstash".entry e
left join "pgstash".namespace t on t.tenant = e.tenant and t.namespace = ''
left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
where (e.expires_at is null or e.expires_at > "pgstash".now_ms())
  and e.generation = coalesce(t.generation, 0) + coalesce(n.generation, 0);
