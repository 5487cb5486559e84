-- What the statements call. Functions, because a function carries its planner settings with it: through a pooler, on a
-- pool that is not ours and on PGlite alike. Without them arrays as parameters look cheaper in a custom plan, which
-- PostgreSQL then makes anew at every call (0.1-0.5 ms). Calling through a function was measured at the speed of the bare
-- statement, or better.
--
-- Every look at a row goes through a "lateral ... limit 1", or stands alone for one key: a join the planner may turn round,
-- and on a table that was small when the plan was made it does; the plan then reads the whole index at every call, until the
-- next analyze, however large the table has become meanwhile.
--
-- A statement takes one number for the versions of all its rows, for they need to differ by key only (nextval for each row
-- took a third of the statement's time). A row that has a higher version by the time it is locked gets a new number: so the version is
-- always higher than any the key has had.
--
-- Arrays whose elements are all the usual ones travel as null: unnest() fills them up with nulls.

create function "pgstash".now_ms() returns bigint
language sql stable parallel safe
as $$ select floor(date_part('epoch', now()) * 1000)::bigint $$;

-- The generation in which what is written now is visible. Looked up by key however small the table was when the plan was made.
create function "pgstash".generation_of(p_tenant text, p_namespace text) returns bigint
language plpgsql stable
set enable_seqscan = off
as $$
begin
  return
    coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = ''), 0)
    + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = p_namespace), 0);
end $$;

-- One value: for a lone caller. One setting is enough: with the whole key given, only a scan could compete with the look-up.
create function "pgstash".read_value(p_tenant text, p_namespace text, p_key text)
returns table (format "char", value text)
language plpgsql stable rows 1
set enable_seqscan = off
as $$
begin
  return query
  select e.format, e.value
  from "pgstash".entry e
  where e.tenant = p_tenant and e.namespace = p_namespace and e.key = p_key
    and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
    and e.generation =
      coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = ''), 0)
      + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = p_namespace), 0);
end $$;

-- Values of one namespace: its generation is looked up once. ord counts the callers from 1.
create function "pgstash".read_namespace(p_tenant text, p_namespace text, p_key text[])
returns table (ord bigint, format "char", value text)
language plpgsql stable rows 100
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint := "pgstash".generation_of(p_tenant, p_namespace);
begin
  return query
  select k.ord, e.format, e.value
  from unnest(p_key) with ordinality as k (key, ord)
  cross join lateral (
    select e.format, e.value, e.expires_at, e.generation from "pgstash".entry e
    where e.tenant = p_tenant and e.namespace = p_namespace and e.key = k.key limit 1
  ) e
  where (e.expires_at is null or e.expires_at > v_now) and e.generation = v_generation;
end $$;

-- Values of any tenants and namespaces.
create function "pgstash".read_values(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, format "char", value text)
language plpgsql stable rows 100
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  return query
  select k.ord, e.format, e.value
  from unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
  cross join lateral (
    select e.format, e.value, e.expires_at, e.generation from "pgstash".entry e
    where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
  ) e
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  where (e.expires_at is null or e.expires_at > v_now)
    and e.generation = coalesce(t.generation, 0) + coalesce(n.generation, 0);
end $$;

-- The same with version and expiry (epoch milliseconds).
create function "pgstash".read_entries(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, format "char", value text, version bigint, expires_at bigint)
language plpgsql stable rows 100
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  return query
  select k.ord, e.format, e.value, e.version, e.expires_at
  from unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
  cross join lateral (
    select e.format, e.value, e.version, e.expires_at, e.generation from "pgstash".entry e
    where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
  ) e
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  where (e.expires_at is null or e.expires_at > v_now)
    and e.generation = coalesce(t.generation, 0) + coalesce(n.generation, 0);
end $$;

-- Which of them exist, and for how many milliseconds more (null: no expiry). No value travels.
create function "pgstash".read_ttls(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, ttl bigint)
language plpgsql stable rows 100
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  return query
  select k.ord, e.expires_at - v_now
  from unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
  cross join lateral (
    select e.expires_at, e.generation from "pgstash".entry e
    where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
  ) e
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  where (e.expires_at is null or e.expires_at > v_now)
    and e.generation = coalesce(t.generation, 0) + coalesce(n.generation, 0);
end $$;

-- Sets. Each key once, in an order all processes share (no deadlock); versions come back in the order given.
--   p_format   null: all t
--   p_writes   null: all 1; how many un-awaited sets of the key this row stands for, 64 at most: each of them gets a version of its own,
--              the last one the highest, so the version of an overwritten set never wins a compare-and-set
--   generation grows only: a set that waited for a row lock across a clear() must not hide the newer row it replaces
create function "pgstash".write_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_writes bigint[]
) returns table (version bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
begin
  return query
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
  select k.tenant, k.namespace, k.key, coalesce(t.generation, 0) + coalesce(n.generation, 0),
    v_base + coalesce(k.writes, 1) - 1, coalesce(k.format, 't')::"char", v_now + k.ttl, v_now, k.long_key, k.value
  from unnest(p_tenant, p_namespace, p_key, p_long_key, p_format, p_value, p_ttl, p_writes)
    with ordinality as k (tenant, namespace, key, long_key, format, value, ttl, writes, ord)
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  order by k.ord
  on conflict (tenant, namespace, key) do update set
    generation = greatest(e.generation, excluded.generation),
    version = case when e.version < v_base then excluded.version else nextval('"pgstash".version') + excluded.version % 64 end,
    format = excluded.format,
    expires_at = excluded.expires_at,
    written_at = excluded.written_at,
    value = excluded.value
  returning e.version;
end $$;

-- One set: for a lone caller.
create function "pgstash".write_value(
  p_tenant text, p_namespace text, p_key text, p_long_key text, p_format text, p_value text, p_ttl bigint, p_writes bigint
) returns bigint
language plpgsql
set enable_seqscan = off
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
  v_version bigint;
begin
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
  values (
    p_tenant, p_namespace, p_key,
    coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = ''), 0)
      + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = p_namespace), 0),
    v_base + p_writes - 1, p_format::"char", v_now + p_ttl, v_now, p_long_key, p_value
  )
  on conflict (tenant, namespace, key) do update set
    generation = greatest(e.generation, excluded.generation),
    version = case when e.version < v_base then excluded.version else nextval('"pgstash".version') + excluded.version % 64 end,
    format = excluded.format,
    expires_at = excluded.expires_at,
    written_at = excluded.written_at,
    value = excluded.value
  returning e.version into v_version;
  return v_version;
end $$;

-- Sets of one namespace: as write_entries, with the generation looked up once.
create function "pgstash".write_namespace(
  p_tenant text, p_namespace text, p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_writes bigint[]
) returns table (version bigint)
language plpgsql rows 100
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
  v_generation bigint := "pgstash".generation_of(p_tenant, p_namespace);
begin
  return query
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
  select p_tenant, p_namespace, k.key, v_generation,
    v_base + coalesce(k.writes, 1) - 1, coalesce(k.format, 't')::"char", v_now + k.ttl, v_now, k.long_key, k.value
  from unnest(p_key, p_long_key, p_format, p_value, p_ttl, p_writes)
    with ordinality as k (key, long_key, format, value, ttl, writes, ord)
  order by k.ord
  on conflict (tenant, namespace, key) do update set
    generation = greatest(e.generation, excluded.generation),
    version = case when e.version < v_base then excluded.version else nextval('"pgstash".version') + excluded.version % 64 end,
    format = excluded.format,
    expires_at = excluded.expires_at,
    written_at = excluded.written_at,
    value = excluded.value
  returning e.version;
end $$;

-- Set if absent: expired and cleared count as absent. Answers only those it wrote.
create function "pgstash".add_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[]
) returns table (ord bigint, version bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
begin
  return query
  with written as (
    insert into "pgstash".entry as e
      (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
    select k.tenant, k.namespace, k.key, coalesce(t.generation, 0) + coalesce(n.generation, 0),
      v_base, coalesce(k.format, 't')::"char", v_now + k.ttl, v_now, k.long_key, k.value
    from unnest(p_tenant, p_namespace, p_key, p_long_key, p_format, p_value, p_ttl)
      with ordinality as k (tenant, namespace, key, long_key, format, value, ttl, ord)
    left join lateral (
      select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
    ) t on true
    left join lateral (
      select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
    ) n on true
    order by k.ord
    on conflict (tenant, namespace, key) do update set
      generation = excluded.generation,
      version = case when e.version < v_base then v_base else nextval('"pgstash".version') end,
      format = excluded.format,
      expires_at = excluded.expires_at,
      written_at = excluded.written_at,
      value = excluded.value
    where e.expires_at <= excluded.written_at or e.generation < excluded.generation
    returning e.tenant, e.namespace, e.key, e.version
  )
  select k.ord, w.version
  from written w
  join unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
    on k.tenant = w.tenant and k.namespace = w.namespace and k.key = w.key;
end $$;

-- One key after the other from here on, in the order given, which all processes share (no deadlock). Each statement sees
-- what was committed before it. A row it had to wait for may be newer than the generations it saw: hence ">=".

-- Sets where the version is still the one the caller read. version is the new one, or (not ok) the one that stands now, null
-- where nothing does.
create function "pgstash".compare_and_set_entries(
  p_tenant text[], p_namespace text[], p_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_version bigint[]
) returns table (ord bigint, ok boolean, version bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_version bigint;
begin
  for i in 1 .. cardinality(p_key) loop
    update "pgstash".entry e set
      version = nextval('"pgstash".version'),
      format = coalesce(p_format[i], 't')::"char",
      expires_at = v_now + p_ttl[i],
      written_at = v_now,
      value = p_value[i]
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i] and e.version = p_version[i]
      and (e.expires_at is null or e.expires_at > v_now)
      and e.generation >=
        coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = ''), 0)
        + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]), 0)
    returning e.version into v_version;
    if found then
      return query select i::bigint, true, v_version;
    else
      return query select i::bigint, false, (
        select e.version from "pgstash".entry e
        where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
          and (e.expires_at is null or e.expires_at > v_now)
          and e.generation >=
            coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = ''), 0)
            + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]), 0)
      );
    end if;
  end loop;
end $$;

-- Adds to integers, creating them. The ttl counts only where it creates. A row that holds no integer, or whose sum
-- would leave what a JavaScript number holds exactly, is left alone and not answered.
create function "pgstash".increment_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_amount bigint[], p_ttl bigint[]
) returns table (ord bigint, value text)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
begin
  return query
  with written as (
    insert into "pgstash".entry as e
      (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value)
    select k.tenant, k.namespace, k.key, coalesce(t.generation, 0) + coalesce(n.generation, 0),
      v_base, 'i', v_now + k.ttl, v_now, k.long_key, k.amount::text
    from unnest(p_tenant, p_namespace, p_key, p_long_key, p_amount, p_ttl)
      with ordinality as k (tenant, namespace, key, long_key, amount, ttl, ord)
    left join lateral (
      select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
    ) t on true
    left join lateral (
      select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
    ) n on true
    order by k.ord
    on conflict (tenant, namespace, key) do update set
      generation = greatest(e.generation, excluded.generation),
      version = case when e.version < v_base then v_base else nextval('"pgstash".version') end,
      format = 'i',
      expires_at = case when e.expires_at <= excluded.written_at or e.generation < excluded.generation
        then excluded.expires_at else e.expires_at end,
      written_at = excluded.written_at,
      value = case when e.expires_at <= excluded.written_at or e.generation < excluded.generation
        then excluded.value else (e.value::bigint + excluded.value::bigint)::text end
    where case
      when e.expires_at <= excluded.written_at or e.generation < excluded.generation then true
      when e.format = 'i' then abs(e.value::bigint + excluded.value::bigint) <= 9007199254740991
      else false
    end
    returning e.tenant, e.namespace, e.key, e.value
  )
  select k.ord, w.value
  from written w
  join unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
    on k.tenant = w.tenant and k.namespace = w.namespace and k.key = w.key;
end $$;

-- Moves expiries (null: never). The version stays: what the entry holds has not changed.
create function "pgstash".touch_entries(p_tenant text[], p_namespace text[], p_key text[], p_ttl bigint[])
returns table (ord bigint)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  for i in 1 .. cardinality(p_key) loop
    update "pgstash".entry e set expires_at = v_now + p_ttl[i]
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
      and (e.expires_at is null or e.expires_at > v_now)
      and e.generation >=
        coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = ''), 0)
        + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]), 0);
    if found then
      ord := i;
      return next;
    end if;
  end loop;
end $$;

-- Deletes; answers those that were alive, with what they held.
create function "pgstash".take_entries(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, format "char", value text)
language plpgsql rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_is_live boolean;
begin
  for i in 1 .. cardinality(p_key) loop
    delete from "pgstash".entry e
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
    returning e.format, e.value,
      (e.expires_at is null or e.expires_at > v_now) and e.generation >=
        coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = ''), 0)
        + coalesce((select n.generation from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]), 0)
    into format, value, v_is_live;
    if v_is_live then
      ord := i;
      return next;
    end if;
  end loop;
end $$;

create function "pgstash".delete_entries(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint)
language sql rows 100
as $$ select t.ord from "pgstash".take_entries(p_tenant, p_namespace, p_key) t $$;

-- A page of live entries in key order, from p_from and below p_upper.
--   p_prefix, p_match  what the caller's key starts with; a regular expression it satisfies (null: any)
--   p_long             only keys stored by digest, only the others, or (null) all
create function "pgstash".scan_entries(
  p_tenant text, p_namespace text, p_from text, p_upper text,
  p_prefix text, p_match text, p_long boolean, p_values boolean, p_limit bigint
) returns table (stored_key text, key text, format "char", value text)
language plpgsql stable rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  return query
  select e.key, coalesce(e.long_key, e.key), e.format, case when p_values then e.value end
  from "pgstash".entry e
  where e.tenant = p_tenant and e.namespace = p_namespace
    and e.key >= p_from and e.key < p_upper
    and (p_long is null or p_long = (e.long_key is not null))
    and (p_prefix is null or starts_with(coalesce(e.long_key, e.key), p_prefix))
    and (p_match is null or coalesce(e.long_key, e.key) ~ p_match)
    and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
    and e.generation = (select "pgstash".generation_of(p_tenant, p_namespace))
  order by e.key
  limit p_limit;
end $$;

-- One small step of a delete by prefix: at most p_limit rows. Fewer removed means there is nothing left; otherwise the next step
-- begins behind last_key, for what has just been deleted still lies in the index and would be read again.
create function "pgstash".delete_prefix(
  p_tenant text, p_namespace text, p_from text, p_upper text, p_prefix text, p_long boolean, p_limit bigint
) returns table (removed bigint, live bigint, last_key text)
language plpgsql rows 1
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint := "pgstash".generation_of(p_tenant, p_namespace);
  v_doomed tid[];
begin
  select array_agg(d.ctid), count(*), count(*) filter (where d.is_live), max(d.key)
  into v_doomed, removed, live, last_key
  from (
    select e.ctid, e.key, (e.expires_at is null or e.expires_at > v_now) and e.generation >= v_generation as is_live
    from "pgstash".entry e
    where e.tenant = p_tenant and e.namespace = p_namespace
      and e.key >= p_from and e.key < p_upper
      and p_long = (e.long_key is not null)
      and starts_with(coalesce(e.long_key, e.key), p_prefix)
    order by e.key limit p_limit
    for update of e
  ) d;
  delete from "pgstash".entry e where e.ctid = any (v_doomed);
  return next;
end $$;

-- Removes what is expired or cleared among the blocks from p_from up to p_to. The table is walked by block because an
-- index on expires_at would cost every overwrite (see 0001). What somebody else holds is left to the next sweep: nobody waits.
create function "pgstash".sweep_blocks(p_from bigint, p_to bigint)
returns table (expired bigint, cleared bigint)
language plpgsql rows 1
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
begin
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
