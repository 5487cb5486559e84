-- Names that mean what they say. An operator or a function that no schema names is the one of the search_path that fits the types best, and
-- whoever may create in a schema of that path can make one that fits better than pg_catalog's: it would be run with the caller's rights, the owner's
-- among them. The migrators look into pg_catalog only (pin-search-path.sql), and so does from here on each function, whoever calls it.

-- Bound when it is created, not pinned: a function with a setting of its own is not made part of the statement that calls it, and these are called
-- for every row.
create or replace function "pgstash".now_ms() returns bigint
language sql stable parallel safe
return floor(date_part('epoch', now()) * 1000)::bigint;

create or replace function "pgstash".sliding_used(p_hits bigint, p_previous bigint, p_reset_at bigint, p_window bigint, p_now bigint)
returns double precision
language sql immutable parallel safe
return case
  when p_now < p_reset_at then p_hits + p_previous * least(1, (p_reset_at - p_now)::double precision / p_window)
  when p_now < p_reset_at + p_window then p_hits * (p_reset_at + p_window - p_now)::double precision / p_window
  else 0
end;

create or replace function "pgstash".fitting(p_left double precision, p_cost double precision, p_asked integer) returns integer
language sql immutable parallel safe
return least(p_asked, greatest(0, floor(p_left / p_cost + 1e-6)))::integer;

create or replace function "pgstash".is_moved(p_by bigint, p_touch_after bigint) returns boolean
language sql immutable parallel safe
return p_by >= p_touch_after or p_by <= -least(p_touch_after, 1000);

-- A view is bound when it is created. Once more, for where that was done without a pinned search_path; whose rights it looks with, stays.
do $$
declare
  v_is_invoker boolean := (
    select coalesce(c.reloptions @> array['security_invoker=true'], false) from pg_class c where c.oid = '"pgstash".live_entry'::regclass
  );
begin
  create or replace view "pgstash".live_entry as
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
  if v_is_invoker then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
  end if;
end $$;

-- As in 0008. What commits may have no setting of its own: it pins its names anew in each of its transactions.
create or replace procedure "pgstash".sweep_all()
language plpgsql
as $$
declare
  v_table text;
  v_claim record;
  v_end bigint;
  v_removed bigint := 0;
  v_began timestamptz;
begin
  -- The call's own transaction has the database's default isolation, and so has each after a commit.
  commit;
  set transaction isolation level read committed;
  foreach v_table in array array['entry', 'session', 'counter'] loop
    v_end := null;
    loop
      perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
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
      set transaction isolation level read committed;
      perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      exit when v_claim.first_position + v_claim.to_block - v_claim.from_block >= v_end;
      perform pg_sleep(least(1, extract(epoch from clock_timestamp() - v_began)));
    end loop;
  end loop;
  perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
  insert into "pgstash".sweep as s (name, finished_at, removed) values ('sweeper', "pgstash".now_ms(), v_removed)
  on conflict (name) do update set finished_at = excluded.finished_at, removed = excluded.removed;
end $$;

do $$
declare
  v_schema oid := (select relnamespace from pg_class where oid = '"pgstash".entry'::regclass);
  v_routine oid;
begin
  -- The advice in a message, which a database that is not UTF8 could not hold.
  for v_routine in
    select p.oid from pg_proc p where p.pronamespace = v_schema and p.proname = 'grant_app_role'
  loop
    execute regexp_replace(pg_get_functiondef(v_routine), $r$login password ''[^']*''$r$, $r$login password ''...''$r$, 'g');
  end loop;
  -- All that are not bound.
  for v_routine in
    select p.oid from pg_proc p
    where p.pronamespace = v_schema and p.prokind = 'f' and p.prosqlbody is null
      and not exists (select from unnest(p.proconfig) as c (setting) where starts_with(c.setting, 'search_path='))
  loop
    execute format('alter function %s set search_path = pg_catalog, pg_temp', v_routine::regprocedure);
  end loop;
end $$;
