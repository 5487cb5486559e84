-- Sessions and rate limits.

create table "pgstash".session (
  tenant      text collate "C" not null,
  namespace   text collate "C" not null,
  id          text collate "C" not null,   -- the session's id, or '#sha256:...' where that would not fit an index row
  user_id     text collate "C",            -- whose session it is, where the application says so
  user_key    text collate "C" generated always as (tenant || E'\x01' || namespace || E'\x01' || user_id) stored,
  version     bigint not null,             -- grows with every change of data
  expires_at  bigint not null,             -- epoch milliseconds
  written_at  bigint not null,             -- epoch milliseconds
  cookie      text,                        -- JSON; its expires, where it has one, is expires_at
  long_id     text collate "C",            -- the session's id, where id holds its digest
  data        text not null,               -- JSON: the session without its cookie
  primary key (tenant, namespace, id)
)
with (fillfactor = 80, vacuum_truncate = off);

-- Touched only where a session gets another user: moving an expiry stays HOT. One column, because with the three by themselves the primary key serves the
-- same question, and a plan made while one user had all sessions may then read all of them for ever. Stored, because under row-level security an
-- expression of a row may not be looked up before the policy has seen the row: "||" is not leakproof, "=" is.
create index session_by_user on "pgstash".session (user_key) where user_key is not null;

-- Unlogged: a crash of the server forgets what was counted, which lets everybody begin anew.
create unlogged table "pgstash".counter (
  tenant         text collate "C" not null,
  namespace      text collate "C" not null,   -- the limiter, its algorithm and its window
  key            text collate "C" not null,   -- who is counted, or '#sha256:...' where that would not fit an index row
  hits           bigint not null,             -- in the window that ends at reset_at
  previous       bigint not null default 0,   -- in the window before (sliding window)
  reset_at       bigint not null,             -- epoch milliseconds
  tat            double precision,            -- theoretical arrival time, epoch milliseconds (GCRA)
  blocked_until  bigint,                      -- epoch milliseconds
  strikes        integer not null default 0,  -- how often it was blocked
  counted_at     bigint not null,             -- epoch milliseconds
  expires_at     bigint not null,             -- from here on the row means nothing: the sweep may take it
  -- What the last statement asked. "do update" sees the proposed row only, so what it needs has to be a column.
  place          integer,                     -- in the batch
  asked          integer,                     -- how many calls the row stood for
  cost           bigint,                      -- of each of them
  most           bigint,                      -- the limit
  window_ms      bigint,
  granted        integer,                     -- how many of them fitted
  long_key       text collate "C",
  primary key (tenant, namespace, key)
)
with (fillfactor = 50, vacuum_truncate = off);

-- What a sliding window holds at p_now: its hits, and of the window before the part that is still within reach. The row may be of this
-- window, of the one before, or older; p_now may be older than the row, where a statement had to wait.
create function "pgstash".sliding_used(p_hits bigint, p_previous bigint, p_reset_at bigint, p_window bigint, p_now bigint)
returns double precision
language sql immutable parallel safe
as $$
select case
  when p_now < p_reset_at then p_hits + p_previous * least(1, (p_reset_at - p_now)::double precision / p_window)
  when p_now < p_reset_at + p_window then p_hits * (p_reset_at + p_window - p_now)::double precision / p_window
  else 0
end $$;

-- How many of p_asked hits of p_cost fit into what is left. The tiny addition is for what double precision loses.
create function "pgstash".fitting(p_left double precision, p_cost double precision, p_asked integer) returns integer
language sql immutable parallel safe
as $$ select least(p_asked, greatest(0, floor(p_left / p_cost + 1e-6)))::integer $$;

-- Whether an expiry moves by enough to be written: on by p_touch_after, or back at all. Less than a second back is the way from the process that asks.
create function "pgstash".is_moved(p_by bigint, p_touch_after bigint) returns boolean
language sql immutable parallel safe
as $$ select p_by >= p_touch_after or p_by <= -least(p_touch_after, 1000) $$;

-- Sets sessions that must still have a version; answers the new one, or the one that stands (null: none) with is_set false. What is stored already is left
-- alone, if its expiry need not move.
create function "pgstash".replace_sessions(
  p_tenant text[], p_namespace text[], p_id text[], p_user text[], p_data text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[],
  p_version bigint[]
) returns table (ord bigint, is_set boolean, version bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
begin
  for i in 1 .. cardinality(p_id) loop
    ord := i;
    update "pgstash".session s set
      user_id = p_user[i],
      version = case when s.data = p_data[i] then s.version else greatest(s.version + 1, nextval('"pgstash".version')) end,
      data = case when s.data = p_data[i] then s.data else p_data[i] end,
      cookie = p_cookie[i],
      expires_at = v_now + p_ttl[i],
      written_at = v_now
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i]
      and s.version = p_version[i] and s.expires_at > v_now
      and ("pgstash".is_moved(v_now + p_ttl[i] - s.expires_at, p_touch_after[i]) or s.data <> p_data[i]
        or s.cookie is distinct from p_cookie[i] or s.user_id is distinct from p_user[i])
    returning s.version into version;
    is_set := found;
    if not is_set then
      version := (
        select s.version from "pgstash".session s
        where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i] and s.expires_at > v_now
      );
      -- Nothing to write.
      is_set := coalesce(version = p_version[i], false);
    end if;
    return next;
  end loop;
end $$;

-- Moves expiries, and takes over cookies (null: the old one stays); data stays, and what is not there is not made. An expiry that would move by less than p_touch_after
-- is left alone.
create function "pgstash".touch_sessions(
  p_tenant text[], p_namespace text[], p_id text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[]
) returns void
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  for i in 1 .. cardinality(p_id) loop
    update "pgstash".session s set expires_at = v_now + p_ttl[i], cookie = coalesce(p_cookie[i], s.cookie)
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i] and s.expires_at > v_now
      and ("pgstash".is_moved(v_now + p_ttl[i] - s.expires_at, p_touch_after[i]) or s.cookie is distinct from coalesce(p_cookie[i], s.cookie));
  end loop;
end $$;

-- Deletes sessions; answers those that were alive.
create function "pgstash".delete_sessions(p_tenant text[], p_namespace text[], p_id text[]) returns table (ord bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_is_live boolean;
begin
  for i in 1 .. cardinality(p_id) loop
    delete from "pgstash".session s
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i]
    returning s.expires_at > v_now into v_is_live;
    if v_is_live then
      ord := i;
      return next;
    end if;
  end loop;
end $$;

-- One small step of emptying a namespace of sessions; fewer removed than p_limit means that none is left.
create function "pgstash".clear_sessions(p_tenant text, p_namespace text, p_limit bigint) returns bigint
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_doomed tid[];
begin
  select array_agg(d.ctid) into v_doomed from (
    select s.ctid from "pgstash".session s
    where s.tenant = p_tenant and s.namespace = p_namespace
    order by s.id limit p_limit for update
  ) d;
  delete from "pgstash".session s where s.ctid = any (v_doomed);
  return coalesce(cardinality(v_doomed), 0);
end $$;

-- What follows deletes in two statements: the second one sees each row as whoever held its lock has left it. One statement would not, and would spare the
-- session that is touched at that moment.

-- Deletes the sessions of a user but those in p_except (which holds no null), locked in the order of all who write sessions; answers how many were alive. Found
-- as in list-user-sessions.sql.
create function "pgstash".delete_user_sessions(p_tenant text, p_namespace text, p_user text, p_except text[]) returns bigint
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_doomed text[];
  v_live bigint;
begin
  select array_agg(d.id), count(*) filter (where d.is_live) into v_doomed, v_live from (
    select s.id, s.expires_at > v_now as is_live from "pgstash".session s
    where s.user_key = p_tenant || E'\x01' || p_namespace || E'\x01' || p_user
      and s.tenant is not distinct from p_tenant and s.namespace is not distinct from p_namespace and s.user_id is not distinct from p_user
      and s.id <> all (p_except)
    order by s.id for update
  ) d;
  -- By key: by address, a plan for few rows may be the policy's look-up of all that the tenant has.
  delete from "pgstash".session s where s.tenant = p_tenant and s.namespace = p_namespace and s.id = any (v_doomed);
  return v_live;
end $$;

-- For the command line: a step of deleting a tenant's sessions, of one namespace or (null) of all. Fewer removed than p_limit means that none is left.
create function "pgstash".delete_tenant_sessions(p_tenant text, p_namespace text, p_limit bigint)
returns table (removed bigint, live bigint)
language plpgsql rows 1
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_doomed tid[];
begin
  select array_agg(d.ctid), count(*), count(*) filter (where d.is_live) into v_doomed, removed, live from (
    select s.ctid, s.expires_at > v_now as is_live from "pgstash".session s
    where s.tenant = p_tenant and (p_namespace is null or s.namespace = p_namespace)
    order by s.namespace, s.id limit p_limit for update
  ) d;
  delete from "pgstash".session s where s.ctid = any (v_doomed);
  return next;
end $$;

-- The same for rate limits, of one limiter or of all; its name is found as in count-tenant-counters.sql.
create function "pgstash".delete_tenant_counters(p_tenant text, p_limiter text, p_limit bigint)
returns table (removed bigint, live bigint)
language plpgsql rows 1
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_doomed tid[];
begin
  select array_agg(d.ctid), count(*), count(*) filter (where d.is_live) into v_doomed, removed, live from (
    select c.ctid, c.expires_at > v_now as is_live from "pgstash".counter c
    where c.tenant = p_tenant
      and (p_limiter is null or starts_with(c.namespace, p_limiter || '/') and substr(c.namespace, length(p_limiter) + 2)
        ~ '^((username|usernameAndIp|ip)/)?(fixed-window|sliding-window|gcra)/[^/]+$')
    order by c.namespace, c.key limit p_limit for update
  ) d;
  delete from "pgstash".counter c where c.ctid = any (v_doomed);
  return next;
end $$;

-- A step of forgetting the counters of a namespace whose keys begin with p_prefix, from p_from on and in the order of all who write counters: each of them
-- is forgotten at one moment, and what is counted anew stays. Answers where the next step begins, or null where fewer than p_limit were left.
create function "pgstash".clear_counters(p_tenant text, p_namespace text, p_prefix text, p_from text, p_limit bigint) returns text
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_doomed tid[];
  v_last text;
begin
  select array_agg(d.ctid), max(d.key) into v_doomed, v_last from (
    select c.ctid, c.key from "pgstash".counter c
    where c.tenant = p_tenant and c.namespace = p_namespace and c.key >= p_from and starts_with(coalesce(c.long_key, c.key), p_prefix)
    order by c.key limit p_limit for update
  ) d;
  delete from "pgstash".counter c where c.ctid = any (v_doomed);
  return case when cardinality(v_doomed) = p_limit then v_last || E'\x01' end;
end $$;

-- Several limits at once, and limits that block. Rows are locked in the order given, which all processes share, before anything is
-- decided; then call for call: one is granted where all of its limits have room and none blocks, and only then counted, in all of them.
--   rows     p_tenant to p_key, distinct; p_algorithm (f fixed window, s sliding window, g GCRA), p_most, p_window; p_block: milliseconds that
--            a denial blocks for (null: none), doubled with every block up to p_block_most, forgotten p_forget after the last one;
--            p_extend: denials during a block are further blocks
--   calls    p_call_rows[p_call_from[i] to p_call_to[i]] are the rows of the i-th, by position; p_cost of each, p_asked of them
-- Answers for each row what it holds then, and for each call how many of its asked ones were granted (is_row false).
create function "pgstash".consume_limits(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_algorithm text[], p_most bigint[], p_window bigint[],
  p_block bigint[], p_block_most bigint[], p_forget bigint[], p_extend boolean[],
  p_call_rows integer[], p_call_from integer[], p_call_to integer[], p_cost bigint[], p_asked integer[]
) returns table (
  is_row boolean, ord integer, granted integer, hits bigint, previous bigint, reset_left bigint, tat_left double precision, block_left bigint, strikes integer
)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_variable
declare
  v_now bigint := "pgstash".now_ms();
  v_row "pgstash".counter;
  v_rows "pgstash".counter[] := '{}';
  v_has_changed boolean[] := '{}';
  v_left double precision[] := '{}';
  v_at integer;
begin
  for i in 1 .. cardinality(p_key) loop
    loop
      select c.* into v_row from "pgstash".counter c
      where c.tenant = p_tenant[i] and c.namespace = p_namespace[i] and c.key = p_key[i] for update;
      exit when found;
      insert into "pgstash".counter as c (tenant, namespace, key, long_key, hits, reset_at, counted_at, expires_at, window_ms)
      values (p_tenant[i], p_namespace[i], p_key[i], p_long_key[i], 0, 0, v_now, v_now, p_window[i])
      on conflict do nothing;
    end loop;
    -- Who waited for a lock may be older than what it finds.
    v_now := greatest(v_now, v_row.counted_at);
    -- A block that ended since the last hit: a fresh start.
    if v_row.blocked_until <= v_now and v_row.counted_at < v_row.blocked_until then
      v_row.hits := 0; v_row.previous := 0; v_row.reset_at := 0; v_row.tat := null;
    end if;
    if v_row.blocked_until + p_forget[i] <= v_now then v_row.strikes := 0; end if;
    if p_algorithm[i] = 's' then
      if v_row.reset_at <= v_now then
        v_row.previous := case when v_now < v_row.reset_at + p_window[i] then v_row.hits else 0 end;
        v_row.hits := 0;
        v_row.reset_at := (v_now / p_window[i] + 1) * p_window[i];
      end if;
    elsif p_algorithm[i] = 'g' then
      v_row.tat := greatest(v_row.tat, v_now);
    elsif v_row.reset_at <= v_now then
      v_row.hits := 0;
      v_row.reset_at := v_now + p_window[i];
    end if;
    v_rows[i] := v_row;
    v_has_changed[i] := false;
  end loop;

  for v_call in 1 .. coalesce(cardinality(p_cost), 0) loop
    is_row := false; ord := v_call; granted := p_asked[v_call];
    for j in p_call_from[v_call] .. p_call_to[v_call] loop
      v_at := p_call_rows[j];
      v_row := v_rows[v_at];
      v_left[v_at] := case
        when v_row.blocked_until > v_now then 0
        when p_algorithm[v_at] = 's' then
          p_most[v_at] - "pgstash".sliding_used(v_row.hits, v_row.previous, v_row.reset_at, p_window[v_at], v_now)
        when p_algorithm[v_at] = 'g' then (p_window[v_at] - (v_row.tat - v_now)) * p_most[v_at] / p_window[v_at]
        else p_most[v_at] - v_row.hits
      end;
      granted := "pgstash".fitting(v_left[v_at], p_cost[v_call], granted);
    end loop;
    -- Those limits block that have no room for the first call which is denied.
    if granted < p_asked[v_call] then
      for j in p_call_from[v_call] .. p_call_to[v_call] loop
        v_at := p_call_rows[j];
        v_row := v_rows[v_at];
        if p_block[v_at] is not null and (p_extend[v_at] or coalesce(v_row.blocked_until <= v_now, true))
          and "pgstash".fitting(v_left[v_at] - granted * p_cost[v_call], p_cost[v_call], 1) = 0
        then
          v_row.strikes := v_row.strikes + case when p_extend[v_at] then p_asked[v_call] - granted else 1 end;
          v_row.blocked_until := v_now
            + least(p_block_most[v_at], p_block[v_at] * power(2, least(v_row.strikes - 1, 40)))::bigint;
          v_rows[v_at] := v_row;
          v_has_changed[v_at] := true;
        end if;
      end loop;
    end if;
    if granted > 0 then
      for j in p_call_from[v_call] .. p_call_to[v_call] loop
        v_at := p_call_rows[j];
        v_row := v_rows[v_at];
        if p_algorithm[v_at] = 'g' then
          v_row.tat := v_row.tat + granted * p_cost[v_call] * p_window[v_at]::double precision / p_most[v_at];
          v_row.reset_at := ceil(v_row.tat);
        else
          v_row.hits := v_row.hits + granted * p_cost[v_call];
        end if;
        v_rows[v_at] := v_row;
        v_has_changed[v_at] := true;
      end loop;
    end if;
    return next;
  end loop;

  for i in 1 .. cardinality(p_key) loop
    v_row := v_rows[i];
    if v_has_changed[i] then
      update "pgstash".counter c set
        hits = v_row.hits, previous = v_row.previous, reset_at = v_row.reset_at, tat = v_row.tat,
        blocked_until = v_row.blocked_until, strikes = v_row.strikes, counted_at = v_now, most = p_most[i],
        expires_at = greatest(
          v_row.reset_at + case when p_algorithm[i] = 's' then p_window[i] else 0 end, v_row.blocked_until + p_forget[i])
      where c.tenant = p_tenant[i] and c.namespace = p_namespace[i] and c.key = p_key[i];
    end if;
    is_row := true; ord := i; granted := null;
    hits := v_row.hits; previous := v_row.previous; reset_left := v_row.reset_at - v_now;
    tat_left := v_row.tat - v_now; block_left := v_row.blocked_until - v_now; strikes := v_row.strikes;
    return next;
  end loop;
end $$;

-- Adds hits whatever the limit says, or takes some back, never below none; that ends a block, if there is room then. Answers what the rows hold then.
create function "pgstash".adjust_counters(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_algorithm text[], p_most bigint[], p_window bigint[], p_by bigint[]
) returns table (ord integer, hits bigint, previous bigint, reset_left bigint, tat_left double precision, block_left bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_variable
declare
  v_now bigint := "pgstash".now_ms();
  v_row "pgstash".counter;
begin
  for i in 1 .. cardinality(p_key) loop
    loop
      select c.* into v_row from "pgstash".counter c
      where c.tenant = p_tenant[i] and c.namespace = p_namespace[i] and c.key = p_key[i] for update;
      exit when found or p_by[i] <= 0;
      insert into "pgstash".counter as c (tenant, namespace, key, long_key, hits, reset_at, counted_at, expires_at, window_ms)
      values (p_tenant[i], p_namespace[i], p_key[i], p_long_key[i], 0, 0, v_now, v_now, p_window[i])
      on conflict do nothing;
    end loop;
    ord := i;
    if v_row.key is null then
      hits := 0; previous := 0; reset_left := 0; tat_left := null; block_left := null;
      return next;
      continue;
    end if;
    v_now := greatest(v_now, v_row.counted_at);
    if v_row.blocked_until <= v_now and v_row.counted_at < v_row.blocked_until then
      v_row.hits := 0; v_row.previous := 0; v_row.reset_at := 0; v_row.tat := null;
    end if;
    -- Nothing is left to take back, and the next window begins with the next hit.
    if p_by[i] < 0 and p_algorithm[i] = 'f' and v_row.reset_at <= v_now and coalesce(v_row.blocked_until, 0) <= v_now then
      hits := 0; previous := 0; reset_left := 0; tat_left := null; block_left := null;
      return next;
      continue;
    end if;
    if p_algorithm[i] = 'g' then
      v_row.tat := greatest(v_now, greatest(v_row.tat, v_now) + p_by[i] * p_window[i]::double precision / nullif(p_most[i], 0));
      v_row.reset_at := ceil(v_row.tat);
    else
      if v_row.reset_at <= v_now then
        v_row.previous := case
          when p_algorithm[i] = 's' and v_now < v_row.reset_at + p_window[i] then v_row.hits else 0 end;
        v_row.hits := 0;
        v_row.reset_at := case when p_algorithm[i] = 's' then (v_now / p_window[i] + 1) * p_window[i] else v_now + p_window[i] end;
      end if;
      v_row.hits := greatest(0, v_row.hits + p_by[i]);
    end if;
    -- Who has room again by what is taken back was blocked for nothing.
    if p_by[i] < 0 and v_row.blocked_until > v_now
      and "pgstash".fitting(case p_algorithm[i]
        when 's' then p_most[i] - "pgstash".sliding_used(v_row.hits, v_row.previous, v_row.reset_at, p_window[i], v_now)
        when 'g' then (p_window[i] - (v_row.tat - v_now)) * p_most[i] / p_window[i]
        else p_most[i] - v_row.hits end, 1, 1) > 0
    then
      v_row.blocked_until := null;
      v_row.strikes := greatest(0, v_row.strikes - 1);
    end if;
    update "pgstash".counter c set
      hits = v_row.hits, previous = v_row.previous, reset_at = v_row.reset_at, tat = v_row.tat, counted_at = v_now,
      blocked_until = v_row.blocked_until, strikes = v_row.strikes,
      expires_at = greatest(c.expires_at, v_row.reset_at + case when p_algorithm[i] = 's' then p_window[i] else 0 end)
    where c.tenant = p_tenant[i] and c.namespace = p_namespace[i] and c.key = p_key[i];
    hits := v_row.hits; previous := v_row.previous; reset_left := v_row.reset_at - v_now;
    tat_left := v_row.tat - v_now; block_left := v_row.blocked_until - v_now;
    return next;
  end loop;
end $$;

-- Forgets counters; answers nothing.
create function "pgstash".delete_counters(p_tenant text[], p_namespace text[], p_key text[]) returns void
language plpgsql
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  for i in 1 .. cardinality(p_key) loop
    delete from "pgstash".counter c where c.tenant = p_tenant[i] and c.namespace = p_namespace[i] and c.key = p_key[i];
  end loop;
end $$;

-- The expired sessions and counters among the blocks from p_from up to p_to; as sweep_blocks.
create function "pgstash".sweep_sessions(p_from bigint, p_to bigint) returns bigint
language plpgsql
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
begin
  -- A crash may bring back what is dead anyway: nobody waits for the log.
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(d.ctid) into v_dead from (
    select s.ctid from "pgstash".session s
    where s.ctid >= format('(%s,0)', p_from)::tid and s.ctid < format('(%s,0)', p_to)::tid and s.expires_at <= v_now
    for update skip locked
  ) d;
  delete from "pgstash".session s where s.ctid = any (v_dead) and s.expires_at <= v_now;
  return coalesce(cardinality(v_dead), 0);
end $$;

create function "pgstash".sweep_counters(p_from bigint, p_to bigint) returns bigint
language plpgsql
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(d.ctid) into v_dead from (
    select c.ctid from "pgstash".counter c
    where c.ctid >= format('(%s,0)', p_from)::tid and c.ctid < format('(%s,0)', p_to)::tid and c.expires_at <= v_now
    for update skip locked
  ) d;
  delete from "pgstash".counter c where c.ctid = any (v_dead) and c.expires_at <= v_now;
  return coalesce(cardinality(v_dead), 0);
end $$;

-- As in 0004, with the new tables.
create or replace function "pgstash".reserve_blocks() returns void
language plpgsql
as $$
declare
  v_block bigint := current_setting('block_size')::bigint;
begin
  if pg_relation_size('"pgstash".entry') < 128 * v_block then
    insert into "pgstash".entry (tenant, namespace, key, generation, version, format, written_at, value)
    select '', '', i::text, 0, 0, 't', 0, repeat('-', 1900) from generate_series(1, 512) i;
    delete from "pgstash".entry where tenant = '';
  end if;
  if pg_relation_size('"pgstash".namespace') < 32 * v_block then
    insert into "pgstash".namespace (tenant, namespace, generation)
    select '', i::text, 0 from generate_series(1, 640) i;
    delete from "pgstash".namespace where tenant = '';
  end if;
  if pg_relation_size('"pgstash".session') < 128 * v_block then
    insert into "pgstash".session (tenant, namespace, id, version, expires_at, written_at, data)
    select '', '', i::text, 0, 0, 0, repeat('-', 1900) from generate_series(1, 512) i;
    delete from "pgstash".session where tenant = '';
  end if;
  if pg_relation_size('"pgstash".counter') < 128 * v_block then
    insert into "pgstash".counter (tenant, namespace, key, hits, reset_at, counted_at, expires_at, long_key)
    select '', '', i::text, 0, 0, 0, 0, repeat('-', 1900) from generate_series(1, 256) i;
    delete from "pgstash".counter where tenant = '';
  end if;
end $$;

create policy tenant on "pgstash".session
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));
create policy tenant on "pgstash".counter
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));

-- As in 0005, with the new tables.
create or replace function "pgstash".enforce_row_level_security() returns void
language plpgsql
as $$
declare
  v_table text;
  v_owner text := (select pg_get_userbyid(relowner) from pg_class where oid = '"pgstash".entry'::regclass);
begin
  foreach v_table in array array['entry', 'namespace', 'session', 'counter'] loop
    execute format('alter table "pgstash".%I enable row level security', v_table);
    execute format('alter table "pgstash".%I force row level security', v_table);
    execute format('drop policy if exists maintenance on "pgstash".%I', v_table);
    execute format('create policy maintenance on "pgstash".%I to %I using (true) with check (true)', v_table, v_owner);
  end loop;
end $$;

-- As in 0005, with the new tables.
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
  execute format('grant select on "pgstash".migration to %I', p_role);
  execute format('grant usage on sequence "pgstash".version to %I', p_role);
  -- A view looks at its tables as its owner does, past the policies, unless it is told otherwise, which PostgreSQL 14 cannot be.
  if current_setting('server_version_num')::int >= 150000 then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
    execute format('grant select on "pgstash".live_entry to %I', p_role);
  end if;
end $$;

-- What was done to the old tables holds for the new ones: policies that are forced, and roles that may write entries.
do $$
declare
  v_role text;
begin
  if (select relforcerowsecurity from pg_class where oid = '"pgstash".entry'::regclass) then
    perform "pgstash".enforce_row_level_security();
  end if;
  for v_role in
    select distinct case when a.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end
    from pg_class c cross join aclexplode(c.relacl) a
    where c.oid = '"pgstash".entry'::regclass and a.privilege_type = 'INSERT' and a.grantee <> c.relowner
  loop
    execute format('grant select, insert, update, delete on "pgstash".session, "pgstash".counter to %s', v_role);
  end loop;
end $$;
