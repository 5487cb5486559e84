-- Tenants kept apart by the database itself: isolation 'rls'. The policies stand in every schema and mean nothing until
-- enforce_row_level_security() has run.

-- The tenant is that of the transaction: set_config('pgstash.tenant', ..., true). After a transaction the setting reads '',
-- before any it reads null; neither is a tenant.
create policy tenant on "pgstash".entry
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));
create policy tenant on "pgstash".namespace
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));

-- Run by the owner or a superuser. Forced, so that the owner is subject to policies as well; it gets one of its own, for the
-- sweep and the statistics of all tenants. There is no way past them but that, a superuser and BYPASSRLS.
create function "pgstash".enforce_row_level_security() returns void
language plpgsql
as $$
declare
  v_table text;
  v_owner text := (select pg_get_userbyid(relowner) from pg_class where oid = '"pgstash".entry'::regclass);
begin
  foreach v_table in array array['entry', 'namespace'] loop
    execute format('alter table "pgstash".%I enable row level security', v_table);
    execute format('alter table "pgstash".%I force row level security', v_table);
    execute format('drop policy if exists maintenance on "pgstash".%I', v_table);
    execute format('create policy maintenance on "pgstash".%I to %I using (true) with check (true)', v_table, v_owner);
  end loop;
end $$;

-- What the application's role needs, and no more. By the owner: a grant by anybody else would be a warning, and grant nothing.
create function "pgstash".grant_app_role(p_role text) returns void
language plpgsql
as $$
declare
  v_owner oid := (select relowner from pg_class where oid = '"pgstash".entry'::regclass);
  v_role record;
begin
  if not pg_has_role(v_owner, 'usage') then
    raise insufficient_privilege using message = format('%I does not own the tables: only their owner may grant', current_user);
  end if;
  select oid, rolsuper, rolbypassrls into v_role from pg_roles where rolname = p_role;
  if not found then
    raise undefined_object using message = format('there is no role %I: create role %I login password ''...'', first', p_role, p_role);
  end if;
  if v_role.rolsuper or v_role.rolbypassrls or pg_has_role(v_role.oid, v_owner, 'member') then
    raise invalid_parameter_value using message =
      format('%I is a superuser, has BYPASSRLS, or owns the tables: row-level security would not hold for it', p_role);
  end if;
  execute format('grant usage on schema "pgstash" to %I', p_role);
  execute format('grant select, insert, update, delete on "pgstash".entry to %I', p_role);
  execute format('grant select, insert, update on "pgstash".namespace to %I', p_role);
  execute format('grant select on "pgstash".migration to %I', p_role);
  execute format('grant usage on sequence "pgstash".version to %I', p_role);
  -- A view looks at its tables as its owner does, past the policies, unless it is told otherwise, which PostgreSQL 14 cannot be.
  if current_setting('server_version_num')::int >= 150000 then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
    execute format('grant select on "pgstash".live_entry to %I', p_role);
  end if;
end $$;
