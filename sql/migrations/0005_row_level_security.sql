-- Tenants kept apart by the database itself: isolation 'rls'. The policies stand in every schema and mean nothing until
-- enforce_row_level_security() has run.

-- The tenant is that of the transaction: set_config('pgstash.tenant', …, true). After a transaction the setting reads '',
-- before any it reads null; neither is a tenant.
create policy tenant on "pgstash".entry
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));
create policy tenant on "pgstash".namespace
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));

-- A view looks at its tables as its owner does, past the policies. Before PostgreSQL 15 that cannot be changed: grant_app_role()
-- then leaves it out.
do $$
begin
  if current_setting('server_version_num')::int >= 150000 then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
  end if;
end $$;

-- Run by the owner. Forced, so that the owner is subject to policies as well; it gets one of its own, for the sweep and the
-- statistics of all tenants. There is no way past them but that, a superuser and BYPASSRLS.
create function "pgstash".enforce_row_level_security() returns void
language plpgsql
as $$
declare
  v_table text;
begin
  foreach v_table in array array['entry', 'namespace'] loop
    execute format('alter table "pgstash".%I enable row level security', v_table);
    execute format('alter table "pgstash".%I force row level security', v_table);
    execute format('drop policy if exists maintenance on "pgstash".%I', v_table);
    execute format('create policy maintenance on "pgstash".%I to current_user using (true) with check (true)', v_table);
  end loop;
end $$;

-- What the application's role needs, and no more.
create function "pgstash".grant_app_role(p_role text) returns void
language plpgsql
as $$
begin
  execute format('grant usage on schema "pgstash" to %I', p_role);
  execute format('grant select, insert, update, delete on "pgstash".entry to %I', p_role);
  execute format('grant select, insert, update on "pgstash".namespace to %I', p_role);
  execute format('grant select on "pgstash".migration to %I', p_role);
  execute format('grant usage on sequence "pgstash".version to %I', p_role);
  if current_setting('server_version_num')::int >= 150000 then
    execute format('grant select on "pgstash".live_entry to %I', p_role);
  end if;
end $$;
