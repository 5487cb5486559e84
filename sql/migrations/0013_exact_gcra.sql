-- GCRA that counts as rationals do. Times are doubles, which hold the time of today to a quarter of a thousandth of a millisecond; added up hit by hit, what that
-- loses denied the last hits of a burst.

-- The multiple of a step, where one is as near as what a double loses of the time of today (lostMs in limit.ts).
create function "pgstash".near_multiple(p_ms double precision, p_step double precision) returns double precision
language sql immutable parallel safe
return case when abs(p_ms - round(p_ms / p_step) * p_step) <= 0.00025 then round(p_ms / p_step) * p_step else p_ms end;

-- Milliseconds from p_now until nothing is used, without what was lost. Within one moment they are so many hits. With a clock of whole milliseconds they are at
-- all moments a multiple of a fraction, which is the finer one, and can be told apart up to some thousand hits in a window.
create function "pgstash".gcra_left(p_tat double precision, p_now bigint, p_most bigint, p_window bigint) returns double precision
language sql immutable parallel safe
return "pgstash".near_multiple(
  "pgstash".near_multiple(greatest(p_tat - p_now, 0), p_window::double precision / nullif(p_most, 0)),
  gcd(p_window, p_most)::double precision / nullif(p_most, 0));

-- As in 0007; GCRA by gcra_left, and with its tolerance, as in consume-gcra.sql.
create or replace function "pgstash".consume_limits(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_algorithm text[], p_most bigint[], p_window bigint[],
  p_block bigint[], p_block_most bigint[], p_forget bigint[], p_extend boolean[],
  p_call_rows integer[], p_call_from integer[], p_call_to integer[], p_cost bigint[], p_asked integer[]
) returns table (
  is_row boolean, ord integer, granted integer, hits bigint, previous bigint, reset_left bigint, tat_left double precision, block_left bigint, strikes integer
)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
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
  for i in 1 .. pg_catalog.cardinality(p_key) loop
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

  for v_call in 1 .. coalesce(pg_catalog.cardinality(p_cost), 0) loop
    is_row := false; ord := v_call; granted := p_asked[v_call];
    for j in p_call_from[v_call] .. p_call_to[v_call] loop
      v_at := p_call_rows[j];
      v_row := v_rows[v_at];
      v_left[v_at] := case
        when v_row.blocked_until > v_now then 0
        when p_algorithm[v_at] = 's' then
          p_most[v_at] - "pgstash".sliding_used(v_row.hits, v_row.previous, v_row.reset_at, p_window[v_at], v_now)
        when p_algorithm[v_at] = 'g' then
          p_most[v_at] - greatest(0, v_row.tat - v_now - 0.00025) * p_most[v_at] / p_window[v_at]
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
            + least(p_block_most[v_at], p_block[v_at] * pg_catalog.power(2, least(v_row.strikes - 1, 40)))::bigint;
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
          v_row.tat := v_now + ("pgstash".gcra_left(v_row.tat, v_now, p_most[v_at], p_window[v_at])
            + granted * p_cost[v_call] * p_window[v_at]::double precision / p_most[v_at]);
          v_row.reset_at := pg_catalog.ceil(v_row.tat);
        else
          v_row.hits := v_row.hits + granted * p_cost[v_call];
        end if;
        v_rows[v_at] := v_row;
        v_has_changed[v_at] := true;
      end loop;
    end if;
    return next;
  end loop;

  for i in 1 .. pg_catalog.cardinality(p_key) loop
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

-- The same here.
create or replace function "pgstash".adjust_counters(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_algorithm text[], p_most bigint[], p_window bigint[], p_by bigint[]
) returns table (ord integer, hits bigint, previous bigint, reset_left bigint, tat_left double precision, block_left bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_variable
declare
  v_now bigint := "pgstash".now_ms();
  v_row "pgstash".counter;
begin
  for i in 1 .. pg_catalog.cardinality(p_key) loop
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
      v_row.tat := greatest(v_now, v_now + ("pgstash".gcra_left(v_row.tat, v_now, p_most[i], p_window[i])
        + p_by[i] * p_window[i]::double precision / nullif(p_most[i], 0)));
      v_row.reset_at := pg_catalog.ceil(v_row.tat);
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
        when 'g' then p_most[i] - greatest(0, v_row.tat - v_now - 0.00025) * p_most[i] / p_window[i]
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
