-- Locks: who holds a name, and for how long. A row of its own kind, and not one of entries: it is always logged, so that a crash of the server lets nobody in
-- beside a holder whose lease runs on, and clear() does not touch it.

create table "pgstash".lock (
  tenant        text collate "C" not null,
  name          text collate "C" not null,     -- the caller's, of 1,024 bytes at most
  token         bigint not null,               -- of the last who took it; grows with everyone who does
  holder        bigint not null,               -- a number that he made up; 0: it was released
  leased_until  bigint not null,               -- epoch milliseconds; from then on anybody may take it
  wanted_until  bigint not null default 0,     -- epoch milliseconds: until then somebody waits, as far as is known
  primary key (tenant, name)
)
-- Each renewal stays on its page (HOT).
with (fillfactor = 50);

-- What a holder was told must outlive a crash: nobody may get in beside him, nor with his token. So the commit waits for the log, and for the standbys that
-- synchronous_standby_names names, also where a session or a database does without.
create function "pgstash".commit_durably() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  if current_setting('synchronous_commit') in ('off', 'local', 'remote_write') then
    perform set_config('synchronous_commit', 'on', true);
  end if;
end $$;

-- Takes the lock where it is free, or was taken by this holder already: its answer may have been lost. A token is the time in microseconds, or one more than
-- the last where that is later: it grows where the clock stands still or is set back, for the sweep keeps the row for an hour; and where the row is lost (to a failover that
-- lost commits, to the restore of a backup), for by then it is later. A sequence would begin again where the last commit that was not lost had left it.
-- One millisecond more than asked for: now_ms() leaves out what is less than one.
-- token null: somebody else holds it, for left_ms milliseconds. p_is_waiting: the caller will ask again; whoever releases it is told.
create function "pgstash".take_lock(p_tenant text, p_name text, p_holder bigint, p_lease bigint, p_is_waiting boolean)
returns table (token bigint, left_ms bigint)
language plpgsql rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_wanted_until bigint;
begin
  -- Who is refused writes nothing, and so costs the holder nothing.
  select l.leased_until - v_now, l.wanted_until into left_ms, v_wanted_until from "pgstash".lock l
  where l.tenant = p_tenant and l.name = p_name and l.leased_until > v_now and l.holder <> p_holder;
  if not found then
    perform "pgstash".commit_durably();
    insert into "pgstash".lock as l (tenant, name, token, holder, leased_until)
    values (p_tenant, p_name, floor(extract(epoch from now()) * 1000000)::bigint, p_holder, v_now + 1 + p_lease)
    on conflict (tenant, name) do update set
      token = case when l.holder = excluded.holder then l.token else greatest(l.token + 1, excluded.token) end,
      holder = excluded.holder,
      leased_until = excluded.leased_until
    where l.leased_until <= v_now or l.holder = excluded.holder
    returning l.token, 0::bigint into token, left_ms;
    if not found then
      select greatest(0, l.leased_until - v_now), l.wanted_until into left_ms, v_wanted_until from "pgstash".lock l
      where l.tenant = p_tenant and l.name = p_name;
    end if;
  end if;
  -- For half a second, so that many who wait write no more than one.
  if token is null and p_is_waiting and v_wanted_until < v_now + 250 then
    update "pgstash".lock l set wanted_until = v_now + 500
    where l.tenant = p_tenant and l.name = p_name and l.wanted_until < v_now + 250;
  end if;
  return next;
end $$;

-- Whether it still is the caller's. A lease that ran out, and that nobody took since, goes on: there was no other holder.
create function "pgstash".renew_lock(p_tenant text, p_name text, p_token bigint, p_holder bigint, p_lease bigint) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
begin
  perform "pgstash".commit_durably();
  update "pgstash".lock l set leased_until = greatest(l.leased_until, "pgstash".now_ms() + 1 + p_lease)
  where l.tenant = p_tenant and l.name = p_name and l.token = p_token and l.holder = p_holder;
  return found;
end $$;

-- The row stays: by it the next token grows. The holder goes, so that a renewal that was on its way brings nothing back.
create function "pgstash".release_lock(p_tenant text, p_name text, p_token bigint, p_holder bigint)
returns table (was_held boolean, is_wanted boolean)
language plpgsql rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
begin
  update "pgstash".lock l set holder = 0, leased_until = 0
  where l.tenant = p_tenant and l.name = p_name and l.token = p_token and l.holder = p_holder
  returning l.wanted_until > "pgstash".now_ms() into is_wanted;
  was_held := found;
  is_wanted := coalesce(is_wanted, false);
  return next;
end $$;

-- As the others of 0007. An hour after the lease: see take_lock().
create function "pgstash".sweep_locks(p_from bigint, p_to bigint) returns bigint
language plpgsql
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
set search_path = pg_catalog, pg_temp
as $$
declare
  v_until bigint := "pgstash".now_ms() - 3600000;
  v_dead tid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(d.ctid) into v_dead from (
    select l.ctid from "pgstash".lock l
    where l.ctid >= format('(%s,0)', p_from)::tid and l.ctid < format('(%s,0)', p_to)::tid
      and l.leased_until <= v_until and l.token <= v_until * 1000
    for update skip locked
  ) d;
  delete from "pgstash".lock l where l.ctid = any (v_dead) and l.leased_until <= v_until;
  return coalesce(cardinality(v_dead), 0);
end $$;
