-- What a role may do here, compared with what it needs; and row-level security as it should be for the roles of today.

-- One at a time changes definitions and rights: the lock of the migrators, taken again by whoever has it.
create function "pgstash".lock_definitions() returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  select pg_advisory_xact_lock(hashtextextended('pgstash:' || n.nspname, 0))
  from pg_namespace n where n.oid = (select c.relnamespace from pg_class c where c.oid = '"pgstash".entry'::regclass)
$$;

-- What stands for the tenant where none was told: nothing. To a statement of this package, which is known by its mark, that is an error, for it comes from a process
-- that does not know of row-level security, and "no rows" would be taken for an answer.
create function "pgstash".no_tenant() returns text
language plpgsql stable
set search_path = pg_catalog, pg_temp
as $$
begin
  if strpos(current_query(), '/* pgstash */') > 0 or strpos(current_query(), 'sweep_all') > 0 then
    raise exception using errcode = 'PGS01',
      message = format('row-level security holds for the role %I, and the statement tells no tenant', current_user);
  end if;
  return null;
end $$;

-- The tables that hold rows of tenants, those of later migrations too.
create function "pgstash".tenant_tables() returns table (id oid, name text, owner oid, is_enabled boolean, is_forced boolean)
language sql stable rows 5
set search_path = pg_catalog, pg_temp
as $$
  select c.oid, c.relname::text, c.relowner, c.relrowsecurity, c.relforcerowsecurity
  from pg_class c
  join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant' and a.attnotnull and not a.attisdropped
    and a.attcollation in (select l.oid from pg_collation l where l.collname = 'C' and l.collnamespace = 'pg_catalog'::regnamespace)
  where c.relnamespace = (select e.relnamespace from pg_class e where e.oid = '"pgstash".entry'::regclass) and c.relkind = 'r'
$$;

-- What an application's role needs, of all that is here; what it needs nothing of stands here as well.
create function "pgstash".app_rights() returns table (kind text, id oid, name text, place text, privileges text[])
language sql stable rows 60
set search_path = pg_catalog, pg_temp
as $$
  with entry as (
    select c.relnamespace as schema, c.relforcerowsecurity as is_forced from pg_class c where c.oid = '"pgstash".entry'::regclass
  ),
  needed (name, privileges) as (
    values
      ('entry', array['select', 'insert', 'update', 'delete']),
      ('session', array['select', 'insert', 'update', 'delete']),
      ('counter', array['select', 'insert', 'update', 'delete']),
      ('namespace', array['select', 'insert', 'update']),
      ('migration', array['select']),
      ('version', array['usage'])
    union all
    -- Apart by a column, that role may sweep. Under row-level security it could not see what; the owner does.
    select 'sweep', case when e.is_forced then array['select'] else array['select', 'insert', 'update'] end from entry e
    union all
    -- On PostgreSQL 14 a view shows what its owner sees.
    select 'live_entry', case when current_setting('server_version_num')::int >= 150000 then array['select'] else '{}' end
  )
  select 'schema', n.oid, n.nspname::text, format('%I', n.nspname), array['usage']
  from entry e join pg_namespace n on n.oid = e.schema
  union all
  select case c.relkind when 'S' then 'sequence' else 'table' end, c.oid, c.relname::text, c.oid::regclass::text, d.privileges
  from entry e join pg_class c on c.relnamespace = e.schema and c.relkind in ('r', 'S', 'v') join needed d on d.name = c.relname
  union all
  -- All run with the rights of who calls them, so that nothing is given away by them.
  select 'routine', p.oid, p.proname::text, p.oid::regprocedure::text,
    case
      when p.proname in ('enforce_row_level_security', 'grant_app_role', 'grant_needed', 'settle_roles') then '{}'
      when p.proname = 'sweep_all' and e.is_forced then '{}'
      else array['execute']
    end
  from entry e join pg_proc p on p.pronamespace = e.schema and not p.prosecdef
$$;

-- In what row-level security is not as it should be for today's owner; no row: in nothing. The expression is spelt as the server spells it with this
-- search_path.
create function "pgstash".isolation_faults() returns table (fault text)
language sql stable rows 5
set search_path = pg_catalog, pg_temp
as $$
  with expected as (
    select t.id, t.name, p.policy, p.role, p.expression
    from "pgstash".tenant_tables() t
    cross join lateral (values
      ('tenant', 0::oid, format(
        '(tenant = COALESCE(NULLIF(current_setting(''pgstash.tenant''::text, true), ''''::text), %s))',
        '"pgstash".no_tenant'::regproc::text || '()')),
      ('maintenance', t.owner, 'true')
    ) as p (policy, role, expression)
  )
  select t.name || ': row-level security is not forced' from "pgstash".tenant_tables() t where not (t.is_enabled and t.is_forced)
  union all
  select format('%s: the policy %s is %s', e.name, e.policy, case when p.oid is null then 'missing' else 'another' end)
    || case when e.policy = 'maintenance' then format(' (it is to be for %I, the owner)', pg_get_userbyid(e.role)) else '' end
  from expected e
  left join pg_policy p on p.polrelid = e.id and p.polname = e.policy
  where p.oid is null or not (
    p.polpermissive and p.polcmd = '*' and p.polroles = array[e.role]
    and pg_get_expr(p.polqual, p.polrelid) = e.expression and pg_get_expr(p.polwithcheck, p.polrelid) = e.expression
  )
  union all
  select format('%s belongs to %I, and entry to %I', r.name, pg_get_userbyid(c.relowner), pg_get_userbyid(e.relowner))
  from "pgstash".app_rights() r
  join pg_class c on c.oid = r.id and r.kind in ('table', 'sequence')
  join pg_class e on e.oid = '"pgstash".entry'::regclass and e.relowner <> c.relowner
  union all
  -- Otherwise it looks at its tables as its owner does. PostgreSQL 14 cannot be told.
  select 'live_entry is not security_invoker'
  from pg_class c
  where c.oid = '"pgstash".live_entry'::regclass and current_setting('server_version_num')::int >= 150000
    and not coalesce('security_invoker=true' = any (c.reloptions), false)
$$;

-- How the rights of a role differ from what an application's role needs. Too much is what row-level security does not stop, from wherever it comes: from PUBLIC, a
-- role that it is a member of (be it without inheriting), an attribute, a thing that it owns. cure: to be typed as the owner, or as a superuser. A superuser has
-- everything, and is no row.
create function "pgstash".compare_rights(p_role text) returns table (is_excess boolean, told text, cure text)
language plpgsql stable rows 10
set search_path = pg_catalog, pg_temp
as $$
declare
  v_role oid;
  v_schema oid := (select c.relnamespace from pg_class c where c.oid = '"pgstash".entry'::regclass);
  v_owner oid := (select c.relowner from pg_class c where c.oid = '"pgstash".entry'::regclass);
  v_server int := current_setting('server_version_num')::int;
begin
  select r.oid into v_role from pg_roles r where r.rolname = p_role and not r.rolsuper;
  if v_role is null then
    return;
  end if;
  return query
  select false, case when count(*) > 3 and d.kind = 'routine' then format('execute on %s functions', count(*)) else string_agg(d.told, ', ' order by d.told) end, null::text
  from (
    select r.kind, p.privilege || ' on ' || case when r.kind = 'schema' then 'the schema ' else '' end || r.name as told
    from "pgstash".app_rights() r
    cross join unnest(r.privileges) as p (privilege)
    where not case r.kind
      when 'schema' then has_schema_privilege(v_role, r.id, p.privilege)
      when 'table' then has_table_privilege(v_role, r.id, p.privilege)
      when 'sequence' then has_sequence_privilege(v_role, r.id, p.privilege)
      else has_function_privilege(v_role, r.id, p.privilege)
    end
  ) d
  group by d.kind
  having count(*) > 0;

  return query
  with held as (
    select r.oid as id, r.rolname::text as name, r.oid = v_role as is_itself, r.rolsuper, r.rolbypassrls, r.rolcreaterole, r.rolreplication,
      (
        select string_agg(format('revoke %I from %I%s', pg_get_userbyid(m.roleid), p_role,
          case when v_server >= 160000 then format(' granted by %I', pg_get_userbyid(m.grantor)) else '' end), '; ')
        from pg_auth_members m where m.member = v_role and pg_has_role(m.roleid, r.oid, 'member')
      ) as leave
    from pg_roles r where pg_has_role(v_role, r.oid, 'member')
  ),
  attributes as (
    select h.*, a.attribute, a.told
    from held h
    cross join lateral (values
      ('superuser', 'superuser', h.rolsuper),
      ('bypassrls', 'BYPASSRLS', h.rolbypassrls),
      ('replication', 'REPLICATION, which reads the log of all tables', h.rolreplication),
      ('createrole', 'CREATEROLE, by which it may become a member of any role', h.rolcreaterole and v_server < 160000)
    ) as a (attribute, told, is_held)
    where a.is_held
  ),
  owned as (
    select h.*, o.told, o.place
    from held h
    join (
      select n.nspowner as owner, 'the schema ' || n.nspname as told, format('schema %I', n.nspname) as place from pg_namespace n where n.oid = v_schema
      union all
      select d.datdba, 'the database ' || d.datname, format('database %I', d.datname) from pg_database d where d.datname = current_database()
      union all
      select c.relowner, c.relname::text, format('%s %s', case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end, c.oid::regclass)
      from "pgstash".app_rights() r join pg_class c on c.oid = r.id and r.kind in ('table', 'sequence')
      union all
      select p.proowner, p.proname || '()', format('routine %s', p.oid::regprocedure) from pg_proc p where p.pronamespace = v_schema
    ) o on o.owner = h.id
  ),
  granted as (
    select r.id, r.kind, r.name, r.place, r.privileges, null::name as attname, r.owner, a.grantor, a.grantee, lower(a.privilege_type) as privilege, a.is_grantable
    from (
      select r.*, coalesce(c.relowner, n.nspowner) as owner, coalesce(c.relacl, n.nspacl) as acl
      from "pgstash".app_rights() r
      left join pg_class c on c.oid = r.id and r.kind in ('table', 'sequence')
      left join pg_namespace n on n.oid = r.id and r.kind = 'schema'
      where r.kind <> 'routine'
    ) r
    cross join aclexplode(r.acl) a
    union all
    select r.id, r.kind, r.name, r.place, r.privileges, t.attname, c.relowner, a.grantor, a.grantee, lower(a.privilege_type), a.is_grantable
    from "pgstash".app_rights() r
    join pg_class c on c.oid = r.id and r.kind = 'table'
    join pg_attribute t on t.attrelid = r.id and t.attacl is not null
    cross join aclexplode(t.attacl) a
  ),
  -- Reading these shows nothing of anybody; common default privileges give it.
  beyond as (
    select g.*, coalesce(h.name, 'PUBLIC') as grantee_name, h.is_itself,
      g.privilege <> all (g.privileges)
        and not (g.privilege = 'select' and g.name in ('migration', 'sweep', 'version')) as is_too_much
    from granted g
    left join held h on h.id = g.grantee
    where (g.grantee = 0 or h.id is not null) and g.grantee <> g.owner
  )
  select true, case when a.is_itself then 'it has ' else format('it is a member of %I, which has ', a.name) end || a.told,
    case when a.is_itself then format('alter role %I no%s', a.name, a.attribute) else a.leave end
  from attributes a
  union all
  select true, format('it is a member of %I', h.name), h.leave
  from held h
  where h.name in ('pg_write_all_data', 'pg_maintain', 'pg_read_server_files', 'pg_write_server_files', 'pg_execute_server_program')
  union all
  select true, case when o.is_itself then 'it owns ' else format('it is a member of %I, which owns ', o.name) end || o.told,
    case when o.is_itself then format('alter %s owner to %I', o.place, pg_get_userbyid(v_owner)) else o.leave end
  from owned o
  where not pg_has_role(v_role, v_owner, 'member')
  union all
  select true,
    string_agg(b.privilege || case when b.attname is null then '' else format(' (%I)', b.attname) end, ', ' order by b.privilege)
      || case when b.is_too_much then '' else ' with grant option' end
      || ' on ' || case when b.kind = 'schema' then 'the schema ' else '' end || b.name
      || case when b.is_itself then '' else ' through ' || b.grantee_name end,
    case when b.grantor = b.owner then '' else format('set role %I; ', pg_get_userbyid(b.grantor)) end
      || format('revoke %s%s on %s %s from %s',
        case when b.is_too_much then '' else 'grant option for ' end,
        string_agg(b.privilege || case when b.attname is null then '' else format(' (%I)', b.attname) end, ', ' order by b.privilege),
        b.kind, b.place, case when b.grantee = 0 then 'public' else format('%I', b.grantee_name) end)
      || case when b.is_too_much then '' else ' cascade' end
      || case when b.grantor = b.owner then '' else '; reset role' end
  from beyond b
  where b.is_too_much or b.is_grantable
  group by b.kind, b.name, b.place, b.grantee, b.grantee_name, b.is_itself, b.grantor, b.owner, b.is_too_much
  union all
  select true, format('the policy %I on %s, which is not of this package', p.polname, t.name), format('drop policy %I on %s', p.polname, t.id::regclass)
  from "pgstash".tenant_tables() t
  join pg_policy p on p.polrelid = t.id and p.polpermissive and p.polname not in ('tenant', 'maintenance')
  where exists (select from unnest(p.polroles) as r (id) left join held h on h.id = r.id where r.id = 0 or h.id is not null)
  union all
  select true, format('the trigger %I on %s, whose function is its own', g.tgname, t.name), format('drop trigger %I on %s', g.tgname, t.id::regclass)
  from "pgstash".tenant_tables() t
  join pg_trigger g on g.tgrelid = t.id and not g.tgisinternal
  join pg_proc p on p.oid = g.tgfoid
  join held h on h.id = p.proowner
  where not pg_has_role(v_role, v_owner, 'member');
end $$;

-- Grants what an application's role needs and was not granted itself: what it has through PUBLIC, anybody may take from all.
-- p_grantee: a quoted name, or public.
create function "pgstash".grant_needed(p_grantee text) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_grantee oid := case when p_grantee = 'public' then 0 else p_grantee::regrole::oid end;
  v_right record;
begin
  if current_setting('server_version_num')::int >= 150000
    and not coalesce((select 'security_invoker=true' = any (c.reloptions) from pg_class c where c.oid = '"pgstash".live_entry'::regclass), false)
  then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
  end if;
  for v_right in
    select r.kind, r.place, array_to_string(array(
      select p.privilege from unnest(r.privileges) as p (privilege)
      except
      select lower(a.privilege_type) from aclexplode(coalesce(n.nspacl, c.relacl, f.proacl)) a where a.grantee = v_grantee
    ), ', ') as missing
    from "pgstash".app_rights() r
    left join pg_namespace n on n.oid = r.id and r.kind = 'schema'
    left join pg_class c on c.oid = r.id and r.kind in ('table', 'sequence')
    left join pg_proc f on f.oid = r.id and r.kind = 'routine'
  loop
    if v_right.missing <> '' then
      execute format('grant %s on %s %s to %s', v_right.missing, v_right.kind, v_right.place, p_grantee);
    end if;
  end loop;
end $$;

-- After migrations: roles that were granted what was there get what is new, and policies that are forced are so everywhere, and as they are meant today.
create function "pgstash".settle_roles() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_grantee text;
begin
  perform "pgstash".lock_definitions();
  if (select c.relforcerowsecurity from pg_class c where c.oid = '"pgstash".entry'::regclass) then
    perform "pgstash".enforce_row_level_security();
  end if;
  for v_grantee in
    select distinct case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
    from pg_class c cross join aclexplode(c.relacl) a
    where c.oid = '"pgstash".entry'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    perform "pgstash".grant_needed(v_grantee);
  end loop;
end $$;

drop function "pgstash".grant_app_role(text);

-- As in 0008, and no more than that: what the owner granted beyond it, or default privileges did, is taken away. By the owner: a grant by anybody else would be a
-- warning, and grant nothing. Answers what remains too much (granted by others, to PUBLIC, had through another role): what to type against it.
create function "pgstash".grant_app_role(p_role text) returns setof text
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_owner oid := (select c.relowner from pg_class c where c.oid = '"pgstash".entry'::regclass);
  v_role record;
  v_right record;
begin
  perform "pgstash".lock_definitions();
  if not pg_has_role(v_owner, 'usage') then
    raise insufficient_privilege using message = format('%I does not own the tables: only their owner may grant', current_user);
  end if;
  select r.oid, r.rolsuper, r.rolbypassrls into v_role from pg_roles r where r.rolname = p_role;
  if not found then
    raise undefined_object using message = format('there is no role %I: create role %I login password ''...'', first', p_role, p_role);
  end if;
  if v_role.rolsuper or v_role.rolbypassrls or pg_has_role(v_role.oid, v_owner, 'member') then
    raise invalid_parameter_value using message =
      format('%I is a superuser, has BYPASSRLS, or owns the tables: row-level security would not hold for it', p_role);
  end if;
  for v_right in
    select r.kind, r.place
    from "pgstash".app_rights() r
    left join pg_namespace n on n.oid = r.id and r.kind = 'schema'
    left join pg_class c on c.oid = r.id and r.kind in ('table', 'sequence')
    where r.kind <> 'routine' and exists (
      select from aclexplode(coalesce(n.nspacl, c.relacl)) a
      where a.grantee = v_role.oid and (lower(a.privilege_type) <> all (r.privileges) or a.is_grantable)
      union all
      select from pg_attribute t cross join aclexplode(t.attacl) a where t.attrelid = c.oid and a.grantee = v_role.oid
    )
  loop
    execute format('revoke all on %s %s from %I cascade', v_right.kind, v_right.place, p_role);
  end loop;
  perform "pgstash".grant_needed(format('%I', p_role));
  return query select c.cure from "pgstash".compare_rights(p_role) c where c.is_excess;
end $$;

-- As in 0008, for all tables of tenants' data and today's owner; what is right already is left alone, for each change stops everybody.
create or replace function "pgstash".enforce_row_level_security() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_table record;
  v_right record;
  v_owner text := (select format('%I', pg_get_userbyid(c.relowner)) from pg_class c where c.oid = '"pgstash".entry'::regclass);
  v_grantee text;
begin
  perform "pgstash".lock_definitions();
  -- Functions too, where the caller may: an owner of tables that were given to him one by one may not, and a superuser does it for him.
  for v_right in
    select r.kind, r.place
    from "pgstash".app_rights() r
    join pg_class e on e.oid = '"pgstash".entry'::regclass
    left join pg_class c on c.oid = r.id and r.kind in ('table', 'sequence')
    left join pg_proc f on f.oid = r.id and r.kind = 'routine'
    where c.relowner <> e.relowner or (f.proowner <> e.relowner and pg_has_role(f.proowner, 'usage'))
  loop
    execute format('alter %s %s owner to %s', v_right.kind, v_right.place, v_owner);
  end loop;
  if exists (select from "pgstash".isolation_faults()) then
    for v_table in select t.id::regclass::text as place from "pgstash".tenant_tables() t loop
      execute format('drop policy if exists tenant on %s', v_table.place);
      execute format('drop policy if exists maintenance on %s', v_table.place);
      execute format(
        'create policy tenant on %1$s using (tenant = %2$s) with check (tenant = %2$s)', v_table.place,
        'coalesce(nullif(current_setting(''pgstash.tenant'', true), ''''), "pgstash".no_tenant())');
      execute format('create policy maintenance on %s to %s using (true) with check (true)', v_table.place, v_owner);
      execute format('alter table %s enable row level security', v_table.place);
      execute format('alter table %s force row level security', v_table.place);
    end loop;
    if current_setting('server_version_num')::int >= 150000 then
      execute 'alter view "pgstash".live_entry set (security_invoker = true)';
    end if;
  end if;
  for v_grantee in
    select distinct case when a.grantee = 0 then 'public' else a.grantee::regrole::text end
    from pg_class c cross join aclexplode(c.relacl) a
    where c.oid = '"pgstash".sweep'::regclass and a.grantee <> c.relowner and a.privilege_type <> 'SELECT'
  loop
    execute format('revoke all on "pgstash".sweep from %s', v_grantee);
    execute format('grant select on "pgstash".sweep to %s', v_grantee);
  end loop;
end $$;

-- These are the owner's; whoever else calls them is refused by what they do.
revoke execute on function "pgstash".enforce_row_level_security(), "pgstash".grant_app_role(text), "pgstash".grant_needed(text), "pgstash".settle_roles()
from public;
