-- Loads: values that are worked out once for all processes, and what is served meanwhile.
--
-- Who loads a key holds a lease: a row of its own, with a token. What guards the value is the row of the entry, which is always there while a lease is: where there was none, or one that
-- is dead, a claim puts a placeholder, which expired in 1970 and so is no entry for anybody. The lease names the version of that row, and what was loaded is stored only while the row still
-- has it. So nothing that invalidates has to know of leases: whatever deletes the row, or writes it, in whatever process, of whatever version of this package, or in psql, has voided the
-- load. A deletion that does not see the placeholder began before the claim was committed; the load begins after that, and finds what was changed before the deletion was asked for.
--
-- The grace of an entry is in columns of 0017: whatever sets an entry writes them.

-- Unlogged, whatever entries are: after a crash whoever loads has no lease, and so stores nothing.
create unlogged table "pgstash".lease (
  tenant         text collate "C" not null,
  namespace      text collate "C" not null,
  key            text collate "C" not null,
  token          bigint not null default 0,        -- of whoever loads; of the sequence of versions, so it never repeats. 0: nobody does
  leased_until   bigint not null default 0,        -- epoch milliseconds; from then on anybody may take it
  backoff_until  bigint not null default 0,        -- epoch milliseconds: until then what is stale is served, and nobody loads
  seen           bigint not null default 0,        -- the version of the entry's row
  is_placed      boolean not null default false,   -- that row is a placeholder
  generation     bigint not null default 0,
  tags           bigint[],                         -- the numbers of the tags, as of the claim
  snapshot       pg_snapshot,                      -- of the claim: a tag that was deleted by in none of its transactions may be added
  primary key (tenant, namespace, key)
)
-- Each renewal stays on its page (HOT).
with (fillfactor = 50, vacuum_truncate = off);

create policy tenant on "pgstash".lease
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));

-- Claims. Each key once, in an order all processes share: for each its lease, then its entry; then tags, of all. Answers of each key what is there, and a token if it is the caller's to load:
--   is_fresh    as it was wanted; nothing to do
--   otherwise   token: the caller's to load. Null: somebody else loads it, for left_ms more at least, or nobody may for so long
--   version     null: nothing is there. Fresh or not, what is there may be served: it is stale, or has fewer milliseconds left than wanted
-- What it takes:
--   p_keep      for how long the tags will be needed, milliseconds; null for ever
--   p_lease     milliseconds; null: nothing is claimed
--   p_load      how long the load may take, milliseconds: for so long the sweep leaves the placeholder
--   p_min_left  what has no more milliseconds left counts as not fresh; 9007199254740991: nothing is fresh, and who failed a moment ago keeps nobody from it
--   p_takes     from whoever has it
create function "pgstash".claim_loads(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_scope text[], p_tags text[], p_keep bigint[],
  p_lease bigint[], p_load bigint[], p_min_left bigint[], p_takes boolean[]
) returns table (ord bigint, is_fresh boolean, token bigint, left_ms bigint, format "char", value text, version bigint, expires_at bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint;
  v_entry record;
  v_is_there boolean;
  v_holds boolean;
  v_is_live boolean;
  v_is_stale boolean;
  v_lease "pgstash".lease;
  v_is_lease boolean;
  v_is_locked boolean;
  v_is_current boolean;
  v_seen bigint;
  v_token bigint;
  v_won bigint[];
begin
  for i in 1 .. cardinality(p_key) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      v_generation := "pgstash".generation_of(p_tenant[i], p_namespace[i]);
    end if;
    ord := i;
    v_is_locked := false;
    loop
      -- Once more when the lease is locked: who had it may have stored between the first look and that.
      select e.format, e.value, e.version, e.expires_at, e.generation, e.tags, e.graced = e.version and e.expires_at + e.grace > v_now as is_graced
      into v_entry
      from "pgstash".entry e
      where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i];
      v_is_there := found;
      v_holds := v_is_there and greatest(v_entry.generation, ~v_entry.generation) = v_generation
        and (v_entry.generation >= 0 or "pgstash".tags_hold(p_tenant[i], v_entry.tags));
      v_is_live := v_holds and (v_entry.expires_at is null or v_entry.expires_at > v_now);
      v_is_stale := v_holds and not v_is_live and v_entry.expires_at > 0 and coalesce(v_entry.is_graced, false);
      token := null;
      left_ms := 0;
      is_fresh := v_is_live and coalesce(v_entry.expires_at - v_now, 9007199254740990) > p_min_left[i];
      exit when is_fresh or p_lease[i] is null;
      if not v_is_locked then
        select l.* into v_lease from "pgstash".lease l
        where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i];
        v_is_lease := found;
      end if;
      if v_is_lease then
        -- A lease whose load cannot be stored any more keeps nobody waiting.
        v_is_current := v_is_there and v_lease.seen = v_entry.version and v_lease.generation = v_generation
          and (v_lease.tags is null or "pgstash".tags_hold(p_tenant[i], v_lease.tags));
        left_ms := case
          when not v_is_current then 0
          when v_lease.token <> 0 then case when p_takes[i] then 0 else greatest(0, v_lease.leased_until - v_now) end
          when p_min_left[i] < 9007199254740991 and (v_is_stale or v_is_live) then greatest(0, v_lease.backoff_until - v_now)
          else 0
        end;
        exit when left_ms > 0;
      end if;
      if not v_is_locked then
        insert into "pgstash".lease (tenant, namespace, key) values (p_tenant[i], p_namespace[i], p_key[i])
        on conflict (tenant, namespace, key) do nothing;
        select l.* into v_lease from "pgstash".lease l
        where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i]
        for update;
        v_is_locked := found;
        v_is_lease := found;
        continue;
      end if;
      v_seen := v_entry.version;
      if not v_is_there then
        insert into "pgstash".entry (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value, grace, graced)
        select p_tenant[i], p_namespace[i], p_key[i], v_generation, k.version, 't', 0, v_now, p_long_key[i], '',
          v_now + p_load[i] + p_lease[i], k.version
        from (select nextval('"pgstash".version') as version) k
        on conflict (tenant, namespace, key) do nothing
        returning version into v_seen;
        continue when not found;
      elsif not v_is_live and not v_is_stale then
        update "pgstash".entry e set
          generation = v_generation, version = k.version, format = 't', expires_at = 0, written_at = v_now, value = '', tags = null,
          grace = v_now + p_load[i] + p_lease[i], graced = k.version
        from (select nextval('"pgstash".version') as version) k
        where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i] and e.version = v_entry.version
        returning e.version into v_seen;
        continue when not found;
      end if;
      v_token := nextval('"pgstash".version');
      token := v_token;
      update "pgstash".lease l set
        token = v_token, leased_until = v_now + 1 + p_lease[i], backoff_until = 0, seen = v_seen,
        is_placed = not v_is_live and not v_is_stale, generation = v_generation, tags = null, snapshot = pg_current_snapshot()
      where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i];
      if p_tags[i] is not null then
        v_won := v_won || ord;
      end if;
      exit;
    end loop;
    if v_is_locked and token is null and v_lease.token = 0 and v_lease.seen = 0 then
      delete from "pgstash".lease l where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i];
    end if;
    if v_is_live or v_is_stale then
      format := v_entry.format;
      value := v_entry.value;
      version := v_entry.version;
      expires_at := v_entry.expires_at;
    else
      format := null;
      value := null;
      version := null;
      expires_at := null;
    end if;
    return next;
  end loop;
  if v_won is not null then
    perform "pgstash".keep_tags(array_agg(p_tenant[w.ord]), array_agg(p_scope[w.ord]), array_agg(g.tag), array_agg(v_now + p_keep[w.ord]))
    from unnest(v_won) as w (ord) cross join lateral unnest(p_tags[w.ord]::text[]) as g (tag);
    -- In the next statement: it sees what was deleted by until now, and the load begins after it.
    update "pgstash".lease l set
      tags = "pgstash".tag_generations(l.tenant, array_fill(p_scope[w.ord], array[cardinality(p_tags[w.ord]::text[])]), p_tags[w.ord]::text[])
    from unnest(v_won) as w (ord)
    where l.tenant = p_tenant[w.ord] and l.namespace = p_namespace[w.ord] and l.key = p_key[w.ord];
  end if;
end $$;

-- Stores what was loaded, each where nothing has voided it since its claim; answers the versions of those. Leases, then entries, then tags.
--   p_value  null: what is there stays, with its tags, and is fresh again
--   p_ttl, p_grace  milliseconds; ttl null for ever
--   p_tags   those of the claim, p_added those that the load has added: arrays as text
create function "pgstash".store_loads(
  p_tenant text[], p_namespace text[], p_key text[], p_token bigint[], p_format text[], p_value text[], p_ttl bigint[], p_grace bigint[],
  p_scope text[], p_tags text[], p_added text[], p_nonce bigint
) returns table (ord bigint, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_lease "pgstash".lease;
  v_leases "pgstash".lease[] := array_fill(null::"pgstash".lease, array[cardinality(p_key)]);
  v_rows tid[] := array_fill(null::tid, array[cardinality(p_key)]);
  v_names text[];
  v_numbers bigint[];
  v_kept bigint[];
  v_stored bigint[];
  v_version bigint;
begin
  for i in 1 .. cardinality(p_key) loop
    delete from "pgstash".lease l
    where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i] and l.token = p_token[i]
    returning l.* into v_lease;
    continue when not found or v_lease.generation <> "pgstash".generation_of(p_tenant[i], p_namespace[i]);
    v_leases[i] := v_lease;
    v_rows[i] := (
      select e.ctid from "pgstash".entry e
      where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i] and e.version = v_lease.seen
      for update
    );
  end loop;
  perform "pgstash".keep_tags(array_agg(k.tenant), array_agg(g.scope), array_agg(g.tag), array_agg(v_now + k.ttl + k.grace))
  from unnest(p_tenant, p_ttl, p_grace, p_scope, p_tags, p_added, p_value, v_rows) as k (tenant, ttl, grace, scope, tags, added, value, row)
  cross join lateral (
    select k.scope, o.tag from unnest(coalesce(k.tags::text[], '{}') || coalesce(k.added::text[], '{}')) as o (tag)
    union
    select t.namespace, t.tag from "pgstash".entry e join "pgstash".tag t on t.generation = any (e.tags) and t.tenant = k.tenant
    where k.value is null and e.ctid = k.row
  ) g
  where k.row is not null
  having count(*) > 0;
  for i in 1 .. cardinality(p_key) loop
    continue when v_rows[i] is null;
    v_lease := v_leases[i];
    v_names := coalesce(p_tags[i]::text[], '{}') || coalesce(p_added[i]::text[], '{}');
    v_numbers := null;
    if cardinality(v_names) > 0 then
      v_numbers := "pgstash".tag_generations(p_tenant[i], array_fill(p_scope[i], array[cardinality(v_names)]), v_names);
      -- Of the claim's the numbers are compared. Of the others it is not known which they were: none may have been deleted by since. (What a backup says of transactions of another
      -- cluster, which are still to come in this one, counts for nothing.)
      continue when array_position(v_numbers, null) is not null
        or v_numbers[1 : coalesce(cardinality(v_lease.tags), 0)] is distinct from coalesce(v_lease.tags, '{}')
        or p_added[i] is not null and exists (
          select from unnest(p_added[i]::text[]) as g (tag)
          cross join lateral (
            select t.bumped from "pgstash".tag t where t.tenant = p_tenant[i] and t.namespace = p_scope[i] and t.tag = g.tag limit 1
          ) t
          where not pg_visible_in_snapshot(t.bumped, v_lease.snapshot) and t.bumped < pg_snapshot_xmax(pg_current_snapshot())
        );
    end if;
    if p_value[i] is null then
      -- What stays was made of what its own tags stand for.
      v_kept := (select e.tags from "pgstash".entry e where e.ctid = v_rows[i] and e.generation < 0);
      continue when v_kept is not null and not "pgstash".tags_hold(p_tenant[i], v_kept);
      v_numbers := nullif(array(select unnest(v_kept) union select unnest(v_numbers)), '{}');
    end if;
    v_version := nextval('"pgstash".version');
    version := v_version;
    update "pgstash".entry e set
      -- That of the lease, whatever it is by now: what was cleared meanwhile is not to be seen.
      generation = case when v_numbers is null then v_lease.generation else ~v_lease.generation end,
      version = v_version,
      format = coalesce(p_format[i]::"char", e.format),
      value = coalesce(p_value[i], e.value),
      expires_at = v_now + p_ttl[i],
      written_at = v_now,
      tags = v_numbers,
      grace = nullif(p_grace[i], 0),
      graced = case when p_grace[i] > 0 then v_version end
    where e.ctid = v_rows[i];
    ord := i;
    v_stored := v_stored || ord;
    return next;
  end loop;
  if v_stored is not null then
    perform "pgstash".near_tell(array_agg(p_tenant[s.ord]), array_agg(p_namespace[s.ord]), array_agg(p_key[s.ord]), p_nonce)
    from unnest(v_stored) as s (ord);
  end if;
end $$;

-- Keeps leases; answers those that still are the caller's. One that ran out, and that nobody took since, goes on: nobody else loaded.
create function "pgstash".renew_leases(p_tenant text[], p_namespace text[], p_key text[], p_token bigint[], p_lease bigint)
returns table (ord bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  for i in 1 .. cardinality(p_key) loop
    update "pgstash".lease l set leased_until = greatest(l.leased_until, "pgstash".now_ms() + 1 + p_lease)
    where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i] and l.token = p_token[i];
    if found then
      ord := i;
      return next;
    end if;
  end loop;
end $$;

-- Gives leases up: nothing was stored. With p_backoff nobody is to try for so many milliseconds, where there is something stale to serve; otherwise the next one may, and the placeholder goes.
-- Answers those that nothing had voided.
create function "pgstash".release_leases(p_tenant text[], p_namespace text[], p_key text[], p_token bigint[], p_backoff bigint)
returns table (ord bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_lease "pgstash".lease;
  v_seen bigint;
begin
  for i in 1 .. cardinality(p_key) loop
    select l.* into v_lease from "pgstash".lease l
    where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i] and l.token = p_token[i]
    for update;
    continue when not found;
    v_seen := (select e.version from "pgstash".entry e where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]);
    if p_backoff > 0 and not v_lease.is_placed then
      update "pgstash".lease l set token = 0, leased_until = 0, backoff_until = "pgstash".now_ms() + p_backoff
      where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i];
    else
      delete from "pgstash".lease l where l.tenant = p_tenant[i] and l.namespace = p_namespace[i] and l.key = p_key[i];
      delete from "pgstash".entry e
      where v_lease.is_placed and e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i] and e.version = v_lease.seen;
    end if;
    if v_seen = v_lease.seen and v_lease.generation = "pgstash".generation_of(p_tenant[i], p_namespace[i])
      and (v_lease.tags is null or "pgstash".tags_hold(p_tenant[i], v_lease.tags))
    then
      ord := i;
      return next;
    end if;
  end loop;
end $$;

-- Ends what is left of their ttl, and not the grace. What is being loaded of them is not stored: the row has another version. Answers those that were alive.
create function "pgstash".expire_entries(p_tenant text[], p_namespace text[], p_key text[], p_nonce bigint) returns table (ord bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_entry record;
  v_version bigint;
  v_expired bigint[];
begin
  for i in 1 .. cardinality(p_key) loop
    select e.ctid, e.generation, e.tags, e.expires_at into v_entry
    from "pgstash".entry e
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
    for update;
    continue when not found;
    if v_entry.expires_at = 0 then
      delete from "pgstash".entry e where e.ctid = v_entry.ctid;
      continue;
    end if;
    v_version := nextval('"pgstash".version');
    update "pgstash".entry e set
      version = v_version,
      expires_at = least(coalesce(e.expires_at, v_now), v_now),
      grace = case when e.graced = e.version then e.grace + greatest(0, coalesce(e.expires_at, v_now) - v_now) end,
      graced = case when e.graced = e.version then v_version end
    where e.ctid = v_entry.ctid;
    if (v_entry.expires_at is null or v_entry.expires_at > v_now)
      and greatest(v_entry.generation, ~v_entry.generation) = "pgstash".generation_of(p_tenant[i], p_namespace[i])
      and (v_entry.generation >= 0 or "pgstash".tags_hold(p_tenant[i], v_entry.tags))
    then
      ord := i;
      v_expired := v_expired || ord;
      return next;
    end if;
  end loop;
  if v_expired is not null then
    perform "pgstash".near_tell(array_agg(p_tenant[x.ord]), array_agg(p_namespace[x.ord]), array_agg(p_key[x.ord]), p_nonce)
    from unnest(v_expired) as x (ord);
  end if;
end $$;

-- Leases that ended a minute ago. Who still loads under one stores nothing.
create function "pgstash".sweep_leases(p_from bigint, p_to bigint) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
begin
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(d.ctid) into v_dead from (
    select l.ctid from "pgstash".lease l
    where l.ctid >= format('(%s,0)', p_from)::tid and l.ctid < format('(%s,0)', p_to)::tid
      and l.leased_until <= v_now - 60000 and l.backoff_until <= v_now
    for update skip locked
  ) d;
  delete from "pgstash".lease l where l.ctid = any (v_dead) and l.leased_until <= v_now - 60000 and l.backoff_until <= v_now;
  return coalesce(cardinality(v_dead), 0);
end $$;

-- As in 0012, with what has come since 0015. Who writes logs what was written; who reads the log keeps it up.
create or replace function "pgstash".app_rights() returns table (kind text, id oid, name text, place text, privileges text[])
language sql stable rows 90
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
      ('lock', array['select', 'insert', 'update', 'delete']),
      ('tag', array['select', 'insert', 'update', 'delete']),
      ('lease', array['select', 'insert', 'update', 'delete']),
      ('tag_queue', array['select', 'insert', 'delete']),
      ('namespace', array['select', 'insert', 'update']),
      ('invalidation', array['select', 'insert', 'delete']),
      ('turn', array['select', 'insert', 'delete']),
      ('incarnation', array['select', 'insert', 'update']),
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

-- As in 0009, with locks, tags and leases; and the log is kept up: nobody else may read it. What commits may have no setting of its own: it pins its names anew in each of its transactions.
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
  foreach v_table in array array['entry', 'session', 'counter', 'lock', 'tag', 'lease'] loop
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
      elsif v_table = 'counter' then
        v_removed := v_removed + "pgstash".sweep_counters(v_claim.from_block, v_claim.to_block);
      elsif v_table = 'lock' then
        perform "pgstash".sweep_locks(v_claim.from_block, v_claim.to_block);
      elsif v_table = 'tag' then
        perform "pgstash".sweep_tags(v_claim.from_block, v_claim.to_block);
      else
        perform "pgstash".sweep_leases(v_claim.from_block, v_claim.to_block);
      end if;
      commit;
      set transaction isolation level read committed;
      perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
      exit when v_claim.first_position + v_claim.to_block - v_claim.from_block >= v_end;
      perform pg_sleep(least(1, extract(epoch from clock_timestamp() - v_began)));
    end loop;
  end loop;
  loop
    perform pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);
    exit when not "pgstash".near_keep(20000);
    commit;
    set transaction isolation level read committed;
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
