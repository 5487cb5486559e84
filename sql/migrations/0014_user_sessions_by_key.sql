-- As in 0007, but for how it deletes. Before PostgreSQL 17 a plan that was made while the table was small took "id = any (...)" for a filter behind the other
-- columns of the key, and from then on each call read every session of the namespace: 4,334 buffers where there were 20,000, in the place of 8.
create or replace function "pgstash".delete_user_sessions(p_tenant text, p_namespace text, p_user text, p_except text[]) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_doomed text[];
  v_id text;
  v_live bigint;
begin
  select array_agg(d.id), count(*) filter (where d.is_live) into v_doomed, v_live from (
    select s.id, s.expires_at > v_now as is_live from "pgstash".session s
    where s.user_key = p_tenant || E'\x01' || p_namespace || E'\x01' || p_user
      and s.tenant is not distinct from p_tenant and s.namespace is not distinct from p_namespace and s.user_id is not distinct from p_user
      and s.id <> all (p_except)
    order by s.id for update
  ) d;
  -- By key: by address, a plan for few rows may be the policy's look-up of all that the tenant has. One key at a time, which no version takes for a filter.
  foreach v_id in array coalesce(v_doomed, '{}') loop
    delete from "pgstash".session s where s.tenant = p_tenant and s.namespace = p_namespace and s.id = v_id;
  end loop;
  return v_live;
end $$;
