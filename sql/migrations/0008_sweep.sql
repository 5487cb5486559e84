-- Where the sweep stands, for all processes together.

create table "pgstash".sweep (
  name          text primary key,             -- a table that is swept; 'sweeper': whoever sweeps by the clock
  next_block    bigint not null default 0,    -- where the next range begins
  position      bigint not null default 0,    -- blocks walked since ever
  holder        text,                         -- the process that sweeps by the clock
  leased_until  bigint not null default 0,    -- epoch milliseconds; without a word from the holder until then, another may
  turned_at     bigint not null default 0,    -- epoch milliseconds: of the last whole turn by the clock
  finished_at   bigint not null default 0,    -- epoch milliseconds: of the last whole turn of anybody
  removed       bigint not null default 0     -- rows, in that turn
);

-- The next p_step blocks of a table, for the caller alone: several processes that sweep at once share the work, and each begins where another stood.
-- A range ends with the table at the latest. first_position: blocks walked before this range; blocks: of the table.
create function "pgstash".claim_blocks(p_name text, p_step bigint)
returns table (from_block bigint, to_block bigint, first_position bigint, blocks bigint)
language plpgsql rows 1
as $$
begin
  perform set_config('synchronous_commit', 'off', true);
  blocks := greatest(1, pg_relation_size(format('"pgstash".%I', p_name)::regclass) / current_setting('block_size')::bigint);
  insert into "pgstash".sweep (name) values (p_name) on conflict do nothing;
  select s.position, case when s.next_block < blocks then s.next_block else 0 end into first_position, from_block
  from "pgstash".sweep s where s.name = p_name for update;
  to_block := least(from_block + p_step, blocks);
  update "pgstash".sweep s set next_block = to_block, position = s.position + to_block - from_block where s.name = p_name;
  return next;
end $$;

-- As in 0002; a crash may bring back what is dead anyway, so nobody waits for the log. No jit: the planner takes every range for a large part of the table, and on a
-- large one compiled the plan anew at each step, for half of its time.
create or replace function "pgstash".sweep_blocks(p_from bigint, p_to bigint)
returns table (expired bigint, cleared bigint)
language plpgsql rows 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(d.ctid), count(*) filter (where d.is_expired), count(*) filter (where not d.is_expired)
  into v_dead, expired, cleared
  from (
    select e.ctid, coalesce(e.expires_at <= v_now, false) as is_expired
    from "pgstash".entry e
    where e.ctid >= format('(%s,0)', p_from)::tid and e.ctid < format('(%s,0)', p_to)::tid
      and (e.expires_at <= v_now or e.generation <
        coalesce((select n.generation from "pgstash".namespace n where n.tenant = e.tenant and n.namespace = ''), 0)
        + coalesce((select n.generation from "pgstash".namespace n where n.tenant = e.tenant and n.namespace = e.namespace), 0))
    for update of e skip locked
  ) d;
  delete from "pgstash".entry e where e.ctid = any (v_dead);
  return next;
end $$;

-- As in 0007, with the new table.
create or replace function "pgstash".grant_app_role(p_role text) returns void
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
  execute format('grant select, insert, update, delete on "pgstash".entry, "pgstash".session, "pgstash".counter to %I', p_role);
  execute format('grant select, insert, update on "pgstash".namespace to %I', p_role);
  -- Apart by a column, that role may sweep. Under row-level security it could not see what; the owner does.
  if not (select relforcerowsecurity from pg_class where oid = '"pgstash".entry'::regclass) then
    execute format('grant select, insert, update on "pgstash".sweep to %I', p_role);
  end if;
  execute format('grant select on "pgstash".migration to %I', p_role);
  execute format('grant usage on sequence "pgstash".version to %I', p_role);
  -- A view looks at its tables as its owner does, past the policies, unless it is told otherwise, which PostgreSQL 14 cannot be.
  if current_setting('server_version_num')::int >= 150000 then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
    execute format('grant select on "pgstash".live_entry to %I', p_role);
  end if;
end $$;

-- As in 0007; and the sweep is the owner's from then on.
create or replace function "pgstash".enforce_row_level_security() returns void
language plpgsql
as $$
declare
  v_name text;
  v_owner text := (select pg_get_userbyid(relowner) from pg_class where oid = '"pgstash".entry'::regclass);
begin
  foreach v_name in array array['entry', 'namespace', 'session', 'counter'] loop
    execute format('alter table "pgstash".%I enable row level security', v_name);
    execute format('alter table "pgstash".%I force row level security', v_name);
    execute format('drop policy if exists maintenance on "pgstash".%I', v_name);
    execute format('create policy maintenance on "pgstash".%I to %I using (true) with check (true)', v_name, v_owner);
  end loop;
  for v_name in
    select distinct case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
    from pg_class c cross join aclexplode(c.relacl) a
    where c.oid = '"pgstash".sweep'::regclass and a.grantee <> c.relowner
  loop
    execute format('revoke all on "pgstash".sweep from %s', v_name);
  end loop;
end $$;

-- Roles that may write entries may sweep them, unless row-level security is forced.
do $$
declare
  v_role text;
begin
  for v_role in
    select distinct case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
    from pg_class c cross join aclexplode(c.relacl) a
    where c.oid = '"pgstash".entry'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
      and not c.relforcerowsecurity
  loop
    execute format('grant select, insert, update on "pgstash".sweep to %s', v_role);
  end loop;
end $$;

-- The whole sweep, for pg_cron: call "pgstash".sweep_all(). In small transactions, and between two of them it rests as long as the last one took, a second at
-- most: without that callers notice (bench/README.md). What is over quota is left to stash.sweep(), which knows the quotas.
create procedure "pgstash".sweep_all()
language plpgsql
as $$
declare
  v_table text;
  v_claim record;
  v_end bigint;
  v_removed bigint := 0;
  v_began timestamptz;
begin
  foreach v_table in array array['entry', 'session', 'counter'] loop
    v_end := null;
    loop
      v_began := clock_timestamp();
      select c.* into v_claim from "pgstash".claim_blocks(v_table, 128) c;
      v_end := coalesce(v_end, v_claim.first_position + v_claim.blocks);
      if v_table = 'entry' then
        v_removed := v_removed + (select s.expired + s.cleared from "pgstash".sweep_blocks(v_claim.from_block, v_claim.to_block) s);
      elsif v_table = 'session' then
        v_removed := v_removed + "pgstash".sweep_sessions(v_claim.from_block, v_claim.to_block);
      else
        v_removed := v_removed + "pgstash".sweep_counters(v_claim.from_block, v_claim.to_block);
      end if;
      commit;
      exit when v_claim.first_position + v_claim.to_block - v_claim.from_block >= v_end;
      perform pg_sleep(least(1, extract(epoch from clock_timestamp() - v_began)));
    end loop;
  end loop;
  insert into "pgstash".sweep as s (name, finished_at, removed) values ('sweeper', "pgstash".now_ms(), v_removed)
  on conflict (name) do update set finished_at = excluded.finished_at, removed = excluded.removed;
end $$;

-- Whoever applies a migration, all belongs to the owner of the entries.
do $$
declare
  v_owner oid := (select relowner from pg_class where oid = '"pgstash".entry'::regclass);
  v_name text;
begin
  for v_name in
    select format('%s %s', case c.relkind when 'S' then 'sequence' when 'v' then 'view' else 'table' end, c.oid::regclass)
    from pg_class c
    where c.relnamespace = (select relnamespace from pg_class where oid = '"pgstash".entry'::regclass)
      and c.relkind in ('r', 'S', 'v') and c.relowner <> v_owner
    union all
    select format('routine %s', p.oid::regprocedure)
    from pg_proc p
    where p.pronamespace = (select relnamespace from pg_class where oid = '"pgstash".entry'::regclass) and p.proowner <> v_owner
  loop
    execute format('alter %s owner to %I', v_name, pg_get_userbyid(v_owner));
  end loop;
end $$;
