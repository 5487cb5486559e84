-- What was written, told to the processes that hold entries of it in their memory. Who has to tell is said by the namespace, for all processes, those too that hold
-- nothing themselves: a worker, an import, psql.

-- What a namespace is used for, in bits:
--    1  its entries are held near: whoever writes one logs it      8  that has been so for every transaction that still runs
--    2  its entries are leased (reserved)
--    4  the same as 1, of the sessions of that name               16  as 8, of sessions
-- The tenant's own row ('') has bit 1 where a namespace of the tenant has 1 or 4.
alter table "pgstash".namespace add column uses integer not null default 0;
-- The transaction that set the last of the bits 1 and 4: 8 and 16 are written by those only who know of that one.
alter table "pgstash".namespace add column marked xid8;

-- One row a statement, of its own commit. Unlogged: after a crash the log is another one (see incarnation), and everybody forgets what is held.
-- It has no names of tenants: all share it, under row-level security too.
create unlogged table "pgstash".invalidation (
  xid      xid8 not null default pg_current_xact_id(),  -- of the whole transaction, also within a savepoint
  kind     "char" not null,                             -- k keys, n namespaces, t tenants, a all
  nonce    bigint,                                      -- by which a process knows its own
  digests  bigint[] not null                            -- near_digest() of each
)
-- Rows come and go: vacuum by their number, not by a share of a table that has no size of its own. What is empty at the end is filled again.
with (
  autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 20000, autovacuum_vacuum_insert_threshold = -1,
  autovacuum_analyze_threshold = 1000000, vacuum_truncate = off
);
create index invalidation_by_xid on "pgstash".invalidation (xid);

-- One row, made by the first who reads the log. It is gone after a crash, with the log.
create unlogged table "pgstash".incarnation (
  is_one       boolean primary key default true check (is_one),
  id           uuid not null default gen_random_uuid(),
  turn         bigint not null default 0,       -- the newest turn
  turned_at    bigint not null default 0,       -- epoch milliseconds: when that was made
  pruned       bigint not null default 0,       -- the newest turn by which rows were removed
  is_pruning   boolean not null default false,  -- not all of them yet
  pruned_snap  pg_snapshot,                     -- of that turn
  swept_snap   pg_snapshot                      -- what is visible in it was removed
);

-- Moments: what a turn's snapshot sees has been read by whoever has seen the turn.
create unlogged table "pgstash".turn (
  id    bigint primary key,
  snap  pg_snapshot not null,
  at    bigint not null       -- epoch milliseconds
);

-- The first eight bytes of a SHA-256 over names, in UTF-8, with a NUL between them, which no name holds: the same in every database, and in Node
-- (src/postgres/near/digest.ts).
create function "pgstash".near_digest(p_names bytea) returns bigint
language sql immutable parallel safe
return ('x' || encode(substr(sha256(p_names), 1, 8), 'hex'))::bit(64)::bigint;

create function "pgstash".near_digest(p_tenant text) returns bigint
language sql stable parallel safe
return "pgstash".near_digest(convert_to(p_tenant, 'UTF8'));

create function "pgstash".near_digest(p_tenant text, p_namespace text) returns bigint
language sql stable parallel safe
return "pgstash".near_digest(convert_to(p_tenant, 'UTF8') || decode('00', 'hex') || convert_to(p_namespace, 'UTF8'));

create function "pgstash".near_digest(p_tenant text, p_namespace text, p_key text) returns bigint
language sql stable parallel safe
return "pgstash".near_digest(
  convert_to(p_tenant, 'UTF8') || decode('00', 'hex') || convert_to(p_namespace, 'UTF8') || decode('00', 'hex') || convert_to(p_key, 'UTF8'));

-- Of sessions, which are no entries.
create function "pgstash".near_session_digest(p_tenant text, p_namespace text) returns bigint
language sql stable parallel safe
return "pgstash".near_digest(p_tenant, p_namespace, 'session');

create function "pgstash".near_session_digest(p_tenant text, p_namespace text, p_id text) returns bigint
language sql stable parallel safe
return "pgstash".near_digest(
  convert_to(p_tenant, 'UTF8') || decode('00', 'hex') || convert_to(p_namespace, 'UTF8') || decode('0073657373696f6e00', 'hex')
  || convert_to(p_id, 'UTF8'));

-- Since a position: the snapshot of the last answer, whose transactions under way and those to come are all that may have brought something new. Not "what was not visible then":
-- that would read all rows since the oldest open transaction again, at every poll. Null: only where the log stands.
-- The first row has no kind: xmax and xip, turns, which log it is (null: not begun), whether something is to be kept up. Stable: all of one snapshot.
create function "pgstash".near_poll(p_xmax xid8, p_xip xid8[])
returns table (kind "char", nonce text, digests text, turn bigint, pruned bigint, incarnation text, is_due boolean)
language plpgsql stable rows 10
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_snapshot pg_snapshot := pg_current_snapshot();
begin
  return query
  select null::"char", pg_snapshot_xmax(v_snapshot)::text, (select string_agg(x.xid::text, ',') from pg_snapshot_xip(v_snapshot) as x (xid)),
    i.turn, i.pruned,
    -- The table's number: a dump brings the uuid along. The server's start: a restart may be that of a copy.
    i.id || '/' || i.tableoid || '/' || extract(epoch from pg_postmaster_start_time()),
    i.is_pruning or i.turned_at not between "pgstash".now_ms() - 20000 and "pgstash".now_ms() + 1000
  from (values (true)) as o (is_one)
  left join "pgstash".incarnation i on i.is_one = o.is_one;
  if p_xmax is not null then
    return query
    select l.kind, l.nonce::text, l.digests::text, null::bigint, null::bigint, null::text, null::boolean
    from "pgstash".invalidation l where l.xid >= p_xmax;
    return query
    select l.kind, l.nonce::text, l.digests::text, null::bigint, null::bigint, null::text, null::boolean
    from "pgstash".invalidation l where l.xid = any (p_xip);
  end if;
end $$;

-- Keeps the log up: makes a turn, where the newest one is 20 seconds old (or of the future: the clock was set back), and removes what the newest turn of 60 seconds ago sees,
-- p_limit rows at most; answers whether there is more. One at a time; who comes meanwhile does nothing. So turns are committed in the order of their numbers, and a process
-- that has seen one has read, or was told never to read, all that it and those before see. The others learn from "pruned" that they came too late: that is committed with the
-- first of the rows.
create function "pgstash".near_keep(p_limit integer) returns boolean
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_head "pgstash".incarnation;
  v_turn "pgstash".turn;
  v_doomed tid[];
begin
  select h.* into v_head from "pgstash".incarnation h for update skip locked;
  if not found then
    -- Nobody has read the log yet, perhaps nobody will.
    insert into "pgstash".incarnation (is_one) select true from "pgstash".invalidation limit 1 on conflict do nothing;
    return false;
  end if;
  if v_head.turned_at not between v_now - 20000 and v_now + 1000 then
    update "pgstash".incarnation i set turn = v_head.turn + 1, turned_at = v_now;
    insert into "pgstash".turn (id, snap, at) values (v_head.turn + 1, pg_current_snapshot(), v_now);
  end if;
  if not v_head.is_pruning then
    select t.* into v_turn from "pgstash".turn t
    where t.id > v_head.pruned and t.at not between v_now - 60000 and v_now + 1000
    order by t.id desc limit 1;
    if not found then
      return false;
    end if;
    update "pgstash".incarnation i set pruned = v_turn.id, pruned_snap = v_turn.snap, is_pruning = true;
    v_head.pruned := v_turn.id;
    v_head.pruned_snap := v_turn.snap;
  end if;
  -- As in near_poll: what lies before was removed then, and may still be in the index.
  v_doomed := array(
    select d.row from (
      select l.ctid as row, l.xid from "pgstash".invalidation l
      where l.xid >= coalesce(pg_snapshot_xmax(v_head.swept_snap), '0'::xid8) and l.xid < pg_snapshot_xmax(v_head.pruned_snap)
      union all
      select l.ctid, l.xid from "pgstash".invalidation l
      where l.xid = any (array(select x.xid from pg_snapshot_xip(v_head.swept_snap) as x (xid)))
    ) d
    where pg_visible_in_snapshot(d.xid, v_head.pruned_snap)
    limit p_limit
  );
  delete from "pgstash".invalidation l where l.ctid = any (v_doomed);
  if cardinality(v_doomed) >= p_limit then
    return true;
  end if;
  update "pgstash".incarnation i set is_pruning = false, swept_snap = v_head.pruned_snap;
  delete from "pgstash".turn t where t.id <= v_head.pruned;
  return false;
end $$;

-- Marks namespaces; p_bit: 1 or 4. Answers what they are used for then, and who marked them.
create function "pgstash".near_mark(p_tenant text[], p_namespace text[], p_bit integer)
returns table (tenant text, namespace text, uses integer, marked text)
language plpgsql rows 10
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
begin
  -- Those of one tenant at a time, first its own row: all lock them in this order.
  for i in 1 .. cardinality(p_namespace) loop
    if not exists (
      select from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i] and n.uses & p_bit <> 0
    ) then
      insert into "pgstash".namespace as n (tenant, namespace, generation, uses) values (p_tenant[i], '', 0, 1)
      on conflict (tenant, namespace) do update set uses = n.uses | 1 where n.uses & 1 = 0;
      insert into "pgstash".namespace as n (tenant, namespace, generation, uses, marked)
      values (p_tenant[i], p_namespace[i], 0, p_bit, pg_current_xact_id())
      on conflict (tenant, namespace) do update set uses = n.uses | excluded.uses, marked = excluded.marked where n.uses & p_bit = 0;
    end if;
    return query
    select n.tenant, n.namespace, n.uses, n.marked::text from "pgstash".namespace n
    where n.tenant = p_tenant[i] and n.namespace = p_namespace[i];
  end loop;
end $$;

-- What runs in this database and may have looked at a namespace before it was marked: virtual transactions, and prepared ones.
create function "pgstash".near_running() returns text[]
language sql stable
set search_path = pg_catalog, pg_temp
as $$
  select coalesce(array_agg(r.id), '{}') from (
    select l.virtualxid as id
    from pg_locks l
    left join pg_stat_activity a on a.pid = l.pid
    where l.locktype = 'virtualxid' and l.granted and l.pid <> pg_backend_pid()
      and (a.datid is null or a.datid = (select d.oid from pg_database d where d.datname = current_database()))
      -- Told to those only who may see it; others wait for it too.
      and a.backend_type is distinct from 'autovacuum worker'
    union all
    select 'prepared ' || p.gid from pg_prepared_xacts p where p.database = current_database()
  ) r
$$;

-- Logs those keys whose namespaces are marked: for what has written them in another way than below.
create function "pgstash".near_tell(p_tenant text[], p_namespace text[], p_key text[], p_nonce bigint) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
  insert into "pgstash".invalidation (kind, nonce, digests)
  select 'k', p_nonce, array_agg("pgstash".near_digest(k.tenant, k.namespace, k.key))
  from unnest(p_tenant, p_namespace, p_key) as k (tenant, namespace, key)
  cross join lateral (
    select n.uses from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n
  where n.uses & 3 <> 0
  having count(*) > 0;
end $$;

-- The verbs, each with a number by which its writer knows the log row again. Those of old names go on, without one: processes of the last version call them. (No overloads:
-- to "grant on routine" what a function returns is as good as an argument.) A row is logged where somebody may hold what it was before,
-- or that it was not there: what was not written changed nothing, and what was expired or cleared before is held by nobody (whoever holds an entry knows when it expires, and
-- clear() is logged itself).

-- As in 0002.
create function "pgstash".add_entries_told(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_nonce bigint
) returns table (ord bigint, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
  -- The usual answer is no, found by one look-up for each namespace.
  v_is_told boolean := exists (
    select from (select distinct k.tenant, k.namespace from unnest(p_tenant, p_namespace) as k (tenant, namespace)) k
    cross join lateral (
      select n.uses from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
    ) n
    where n.uses & 3 <> 0
  );
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
  ),
  told as (
    insert into "pgstash".invalidation (kind, nonce, digests)
    select 'k', p_nonce, array_agg("pgstash".near_digest(w.tenant, w.namespace, w.key))
    from written w
    cross join lateral (
      select n.uses from "pgstash".namespace n where n.tenant = w.tenant and n.namespace = w.namespace limit 1
    ) n
    where v_is_told and n.uses & 3 <> 0
    having count(*) > 0
  )
  select k.ord, w.version
  from written w
  join unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
    on k.tenant = w.tenant and k.namespace = w.namespace and k.key = w.key;
end $$;

create or replace function "pgstash".add_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[]
) returns table (ord bigint, version bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$ select a.ord, a.version from "pgstash".add_entries_told(p_tenant, p_namespace, p_key, p_long_key, p_format, p_value, p_ttl, null) a $$;

-- As in 0002; the generation is looked up once for keys of one namespace that stand side by side.
create function "pgstash".compare_and_set_entries_told(
  p_tenant text[], p_namespace text[], p_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_version bigint[], p_nonce bigint
) returns table (ord bigint, ok boolean, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint;
  v_is_told boolean;
  v_told bigint[];
begin
  for i in 1 .. cardinality(p_key) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      select coalesce(t.generation, 0) + coalesce(n.generation, 0), coalesce(n.uses & 3 <> 0, false) into v_generation, v_is_told
      from (values (true)) o
      left join "pgstash".namespace t on t.tenant = p_tenant[i] and t.namespace = ''
      left join "pgstash".namespace n on n.tenant = p_tenant[i] and n.namespace = p_namespace[i];
    end if;
    update "pgstash".entry e set
      version = nextval('"pgstash".version'),
      format = coalesce(p_format[i], 't')::"char",
      expires_at = v_now + p_ttl[i],
      written_at = v_now,
      value = p_value[i]
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i] and e.version = p_version[i]
      and (e.expires_at is null or e.expires_at > v_now) and e.generation >= v_generation
    returning e.version into version;
    ord := i;
    ok := found;
    if not ok then
      version := (
        select e.version from "pgstash".entry e
        where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
          and (e.expires_at is null or e.expires_at > v_now) and e.generation >= v_generation
      );
    elsif v_is_told then
      v_told := v_told || "pgstash".near_digest(p_tenant[i], p_namespace[i], p_key[i]);
    end if;
    return next;
  end loop;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

create or replace function "pgstash".compare_and_set_entries(
  p_tenant text[], p_namespace text[], p_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_version bigint[]
) returns table (ord bigint, ok boolean, version bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$
  select c.ord, c.ok, c.version
  from "pgstash".compare_and_set_entries_told(p_tenant, p_namespace, p_key, p_format, p_value, p_ttl, p_version, null) c
$$;

-- As in 0002.
create function "pgstash".increment_entries_told(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_amount bigint[], p_ttl bigint[], p_nonce bigint
) returns table (ord bigint, value text)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
  v_is_told boolean := exists (
    select from (select distinct k.tenant, k.namespace from unnest(p_tenant, p_namespace) as k (tenant, namespace)) k
    cross join lateral (
      select n.uses from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
    ) n
    where n.uses & 3 <> 0
  );
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
  ),
  told as (
    insert into "pgstash".invalidation (kind, nonce, digests)
    select 'k', p_nonce, array_agg("pgstash".near_digest(w.tenant, w.namespace, w.key))
    from written w
    cross join lateral (
      select n.uses from "pgstash".namespace n where n.tenant = w.tenant and n.namespace = w.namespace limit 1
    ) n
    where v_is_told and n.uses & 3 <> 0
    having count(*) > 0
  )
  select k.ord, w.value
  from written w
  join unnest(p_tenant, p_namespace, p_key) with ordinality as k (tenant, namespace, key, ord)
    on k.tenant = w.tenant and k.namespace = w.namespace and k.key = w.key;
end $$;

create or replace function "pgstash".increment_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[], p_amount bigint[], p_ttl bigint[]
) returns table (ord bigint, value text)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$ select i.ord, i.value from "pgstash".increment_entries_told(p_tenant, p_namespace, p_key, p_long_key, p_amount, p_ttl, null) i $$;

-- As in 0002; the generation as above.
create function "pgstash".touch_entries_told(p_tenant text[], p_namespace text[], p_key text[], p_ttl bigint[], p_nonce bigint)
returns table (ord bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint;
  v_is_told boolean;
  v_told bigint[];
begin
  for i in 1 .. cardinality(p_key) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      select coalesce(t.generation, 0) + coalesce(n.generation, 0), coalesce(n.uses & 3 <> 0, false) into v_generation, v_is_told
      from (values (true)) o
      left join "pgstash".namespace t on t.tenant = p_tenant[i] and t.namespace = ''
      left join "pgstash".namespace n on n.tenant = p_tenant[i] and n.namespace = p_namespace[i];
    end if;
    update "pgstash".entry e set expires_at = v_now + p_ttl[i]
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
      and (e.expires_at is null or e.expires_at > v_now) and e.generation >= v_generation;
    if found then
      ord := i;
      return next;
      if v_is_told then
        v_told := v_told || "pgstash".near_digest(p_tenant[i], p_namespace[i], p_key[i]);
      end if;
    end if;
  end loop;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

create or replace function "pgstash".touch_entries(p_tenant text[], p_namespace text[], p_key text[], p_ttl bigint[])
returns table (ord bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$ select t.ord from "pgstash".touch_entries_told(p_tenant, p_namespace, p_key, p_ttl, null) t $$;

-- As in 0002; the generation as above.
create function "pgstash".take_entries_told(p_tenant text[], p_namespace text[], p_key text[], p_nonce bigint)
returns table (ord bigint, format "char", value text)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint;
  v_is_live boolean;
  v_is_told boolean;
  v_told bigint[];
begin
  for i in 1 .. cardinality(p_key) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      select coalesce(t.generation, 0) + coalesce(n.generation, 0), coalesce(n.uses & 3 <> 0, false) into v_generation, v_is_told
      from (values (true)) o
      left join "pgstash".namespace t on t.tenant = p_tenant[i] and t.namespace = ''
      left join "pgstash".namespace n on n.tenant = p_tenant[i] and n.namespace = p_namespace[i];
    end if;
    delete from "pgstash".entry e
    where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
    returning e.format, e.value, (e.expires_at is null or e.expires_at > v_now) and e.generation >= v_generation
    into format, value, v_is_live;
    if v_is_live then
      ord := i;
      return next;
      if v_is_told then
        v_told := v_told || "pgstash".near_digest(p_tenant[i], p_namespace[i], p_key[i]);
      end if;
    end if;
  end loop;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

create or replace function "pgstash".take_entries(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, format "char", value text)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$ select t.ord, t.format, t.value from "pgstash".take_entries_told(p_tenant, p_namespace, p_key, null) t $$;

create function "pgstash".delete_entries_told(p_tenant text[], p_namespace text[], p_key text[], p_nonce bigint)
returns table (ord bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$ select t.ord from "pgstash".take_entries_told(p_tenant, p_namespace, p_key, p_nonce) t $$;

-- As in 0011; a step that removed something tells it of the whole namespace.
create function "pgstash".delete_prefix_told(
  p_tenant text, p_namespace text, p_from text, p_upper text, p_prefix text, p_long boolean, p_limit bigint, p_nonce bigint
) returns table (removed bigint, live bigint, last_key text)
language plpgsql rows 1
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint;
  v_is_told boolean;
  v_upper_namespace text := case when p_upper is null then p_namespace || E'\x01' else p_namespace end;
  v_upper text := coalesce(p_upper, '');
  v_doomed tid[];
begin
  select coalesce(t.generation, 0) + coalesce(n.generation, 0), coalesce(n.uses & 3 <> 0, false) into v_generation, v_is_told
  from (values (true)) o
  left join "pgstash".namespace t on t.tenant = p_tenant and t.namespace = ''
  left join "pgstash".namespace n on n.tenant = p_tenant and n.namespace = p_namespace;
  select array_agg(d.ctid), count(*), count(*) filter (where d.is_live), max(d.key)
  into v_doomed, removed, live, last_key
  from (
    select e.ctid, e.key, (e.expires_at is null or e.expires_at > v_now) and e.generation >= v_generation as is_live
    from "pgstash".entry e
    where e.tenant = p_tenant and e.namespace = p_namespace
      and e.key >= p_from and (e.namespace, e.key) < (v_upper_namespace, v_upper)
      and p_long = (e.long_key is not null)
      and starts_with(coalesce(e.long_key, e.key), p_prefix)
    order by e.key limit p_limit
    for update of e
  ) d;
  delete from "pgstash".entry e where e.ctid = any (v_doomed);
  if v_is_told and live > 0 then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('n', p_nonce, array["pgstash".near_digest(p_tenant, p_namespace)]);
  end if;
  return next;
end $$;

create or replace function "pgstash".delete_prefix(
  p_tenant text, p_namespace text, p_from text, p_upper text, p_prefix text, p_long boolean, p_limit bigint
) returns table (removed bigint, live bigint, last_key text)
language sql rows 1
set search_path = pg_catalog, pg_temp
as $$
  select d.removed, d.live, d.last_key
  from "pgstash".delete_prefix_told(p_tenant, p_namespace, p_from, p_upper, p_prefix, p_long, p_limit, null) d
$$;

-- As in 0006.
create or replace function "pgstash".evict_written(
  p_tenant text, p_written_at bigint, p_version bigint, p_namespace text, p_key text,
  p_from_namespace text, p_from_key text, p_limit bigint
) returns table (seen bigint, evicted bigint, last_namespace text, last_key text)
language plpgsql rows 1
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_doomed tid[];
begin
  select array_agg(d.ctid), count(*), (array_agg(d.namespace))[count(*)], (array_agg(d.key))[count(*)]
  into v_doomed, seen, last_namespace, last_key
  from (
    select e.ctid, e.namespace, e.key
    from "pgstash".entry e
    where e.tenant = p_tenant and (e.namespace, e.key) > (p_from_namespace, p_from_key)
      and (e.written_at, e.version, e.namespace, e.key) <= (p_written_at, p_version, p_namespace, p_key)
    order by e.namespace, e.key
    limit p_limit
    for update of e skip locked
  ) d;
  with gone as (
    delete from "pgstash".entry e
    where e.ctid = any (v_doomed)
      and (e.written_at, e.version, e.namespace, e.key) <= (p_written_at, p_version, p_namespace, p_key)
    returning e.namespace, e.key
  ),
  told as (
    insert into "pgstash".invalidation (kind, digests)
    select 'k', array_agg("pgstash".near_digest(p_tenant, g.namespace, g.key))
    from gone g
    cross join lateral (
      select n.uses from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = g.namespace limit 1
    ) n
    where n.uses & 3 <> 0
    having count(*) > 0
  )
  select count(*) into evicted from gone g;
  return next;
end $$;

-- What nothing calls any more; processes of old versions may still run.
create or replace function "pgstash".write_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_writes bigint[]
) returns table (version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_base bigint := nextval('"pgstash".version');
begin
  perform "pgstash".near_tell(p_tenant, p_namespace, p_key, null);
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

create or replace function "pgstash".write_value(
  p_tenant text, p_namespace text, p_key text, p_long_key text, p_format text, p_value text, p_ttl bigint, p_writes bigint
) returns bigint
language sql
set search_path = pg_catalog, pg_temp
as $$
  select w.version from "pgstash".write_entries(
    array[p_tenant], array[p_namespace], array[p_key], array[p_long_key], array[p_format], array[p_value], array[p_ttl], array[p_writes]) w
$$;

create or replace function "pgstash".write_namespace(
  p_tenant text, p_namespace text, p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_writes bigint[]
) returns table (version bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$
  select w.version from "pgstash".write_entries(
    array_fill(p_tenant, array[cardinality(p_key)]), array_fill(p_namespace, array[cardinality(p_key)]),
    p_key, p_long_key, p_format, p_value, p_ttl, p_writes) w
$$;

-- Sessions. A later expiry alone is not told: who holds a session lets go of it at the earlier one, and asks again. Whatever else changes is, and an end above all.

-- Whether the sessions of a namespace are held near.
create function "pgstash".near_has_sessions(p_tenant text, p_namespace text) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off
as $$
begin
  return coalesce((select n.uses & 4 <> 0 from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = p_namespace), false);
end $$;

-- As in 0010.
create function "pgstash".replace_sessions_told(
  p_tenant text[], p_namespace text[], p_id text[], p_user text[], p_data text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[],
  p_version bigint[], p_nonce bigint
) returns table (ord bigint, is_set boolean, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_is_told boolean;
  v_told bigint[];
begin
  for i in 1 .. cardinality(p_id) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      v_is_told := coalesce((
        select n.uses & 4 <> 0 from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]
      ), false);
    end if;
    ord := i;
    update "pgstash".session s set
      user_id = p_user[i],
      version = case
        when s.data = p_data[i] and p_ttl[i] > 0 then s.version
        else greatest(s.version + 1, nextval('"pgstash".version'))
      end,
      data = case when s.data = p_data[i] then s.data else p_data[i] end,
      cookie = p_cookie[i],
      expires_at = v_now + p_ttl[i],
      written_at = v_now,
      kept_ms = 3600000
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i] and s.version = p_version[i]
      and (s.expires_at <= v_now or "pgstash".is_moved(v_now + p_ttl[i] - s.expires_at, p_touch_after[i]) or s.data <> p_data[i]
        or s.cookie is distinct from p_cookie[i] or s.user_id is distinct from p_user[i])
    returning s.version into version;
    is_set := found;
    if is_set and v_is_told then
      v_told := v_told || "pgstash".near_session_digest(p_tenant[i], p_namespace[i], p_id[i]);
    elsif not is_set then
      version := (
        select s.version from "pgstash".session s
        where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i]
      );
      -- Nothing to write.
      is_set := coalesce(version = p_version[i], false);
    end if;
    return next;
  end loop;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

create or replace function "pgstash".replace_sessions(
  p_tenant text[], p_namespace text[], p_id text[], p_user text[], p_data text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[],
  p_version bigint[]
) returns table (ord bigint, is_set boolean, version bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$
  select r.ord, r.is_set, r.version
  from "pgstash".replace_sessions_told(p_tenant, p_namespace, p_id, p_user, p_data, p_cookie, p_ttl, p_touch_after, p_version, null) r
$$;

-- As in 0010.
create function "pgstash".touch_sessions_told(
  p_tenant text[], p_namespace text[], p_id text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[], p_nonce bigint
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_is_told boolean;
  v_told bigint[];
begin
  for i in 1 .. cardinality(p_id) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      v_is_told := coalesce((
        select n.uses & 4 <> 0 from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]
      ), false);
    end if;
    -- Locked, and compared with what it becomes.
    if v_is_told and exists (
      select from "pgstash".session s
      where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i] and s.expires_at > v_now
        and (s.expires_at > v_now + p_ttl[i] or s.cookie is distinct from coalesce(p_cookie[i], s.cookie))
      for update
    ) then
      v_told := v_told || "pgstash".near_session_digest(p_tenant[i], p_namespace[i], p_id[i]);
    end if;
    update "pgstash".session s set
      expires_at = v_now + p_ttl[i],
      cookie = coalesce(p_cookie[i], s.cookie),
      version = case when p_ttl[i] > 0 then s.version else greatest(s.version + 1, nextval('"pgstash".version')) end
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i] and s.expires_at > v_now
      and ("pgstash".is_moved(v_now + p_ttl[i] - s.expires_at, p_touch_after[i]) or s.cookie is distinct from coalesce(p_cookie[i], s.cookie));
  end loop;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

create or replace function "pgstash".touch_sessions(
  p_tenant text[], p_namespace text[], p_id text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[]
) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$ select "pgstash".touch_sessions_told(p_tenant, p_namespace, p_id, p_cookie, p_ttl, p_touch_after, null) $$;

-- As in 0007.
create function "pgstash".delete_sessions_told(p_tenant text[], p_namespace text[], p_id text[], p_nonce bigint) returns table (ord bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_is_live boolean;
  v_is_told boolean;
  v_told bigint[];
begin
  for i in 1 .. cardinality(p_id) loop
    if i = 1 or p_namespace[i] <> p_namespace[i - 1] or p_tenant[i] <> p_tenant[i - 1] then
      v_is_told := coalesce((
        select n.uses & 4 <> 0 from "pgstash".namespace n where n.tenant = p_tenant[i] and n.namespace = p_namespace[i]
      ), false);
    end if;
    delete from "pgstash".session s
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i]
    returning s.expires_at > v_now into v_is_live;
    if v_is_live then
      ord := i;
      return next;
      if v_is_told then
        v_told := v_told || "pgstash".near_session_digest(p_tenant[i], p_namespace[i], p_id[i]);
      end if;
    end if;
  end loop;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

create or replace function "pgstash".delete_sessions(p_tenant text[], p_namespace text[], p_id text[]) returns table (ord bigint)
language sql rows 100
set search_path = pg_catalog, pg_temp
as $$ select d.ord from "pgstash".delete_sessions_told(p_tenant, p_namespace, p_id, null) d $$;

-- As in 0007.
create or replace function "pgstash".clear_sessions(p_tenant text, p_namespace text, p_limit bigint) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
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
  if v_doomed is not null and "pgstash".near_has_sessions(p_tenant, p_namespace) then
    insert into "pgstash".invalidation (kind, digests) values ('n', array["pgstash".near_session_digest(p_tenant, p_namespace)]);
  end if;
  return coalesce(cardinality(v_doomed), 0);
end $$;

-- As in 0014.
create or replace function "pgstash".delete_user_sessions(p_tenant text, p_namespace text, p_user text, p_except text[]) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_doomed text[];
  v_id text;
  v_live bigint;
begin
  select array_agg(d.id), count(*) filter (where d.is_live) into v_doomed, v_live from (
    select s.id, s.expires_at > v_now as is_live from "pgstash".session s
    where s.user_key = p_tenant || E'\x01' || p_namespace || E'\x01' || p_user
      and s.tenant is not distinct from p_tenant and s.namespace is not distinct from p_namespace and s.user_id is not distinct from p_user
      and s.id <> all (p_except)
    order by s.id for update
  ) d;
  foreach v_id in array coalesce(v_doomed, '{}') loop
    delete from "pgstash".session s where s.tenant = p_tenant and s.namespace = p_namespace and s.id = v_id;
  end loop;
  if v_doomed is not null and "pgstash".near_has_sessions(p_tenant, p_namespace) then
    insert into "pgstash".invalidation (kind, digests)
    select 'k', array_agg("pgstash".near_session_digest(p_tenant, p_namespace, d.id)) from unnest(v_doomed) as d (id);
  end if;
  return v_live;
end $$;

-- As in 0007.
create or replace function "pgstash".delete_tenant_sessions(p_tenant text, p_namespace text, p_limit bigint)
returns table (removed bigint, live bigint)
language plpgsql rows 1
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_doomed tid[];
  v_namespaces text[];
begin
  select array_agg(d.ctid), count(*), count(*) filter (where d.is_live), array_agg(distinct d.namespace::text)
  into v_doomed, removed, live, v_namespaces
  from (
    select s.ctid, s.namespace, s.expires_at > v_now as is_live from "pgstash".session s
    where s.tenant = p_tenant and (p_namespace is null or s.namespace = p_namespace)
    order by s.namespace, s.id limit p_limit for update
  ) d;
  delete from "pgstash".session s where s.ctid = any (v_doomed);
  insert into "pgstash".invalidation (kind, digests)
  select 'n', array_agg("pgstash".near_session_digest(p_tenant, n.namespace))
  from unnest(v_namespaces) as d (namespace)
  join "pgstash".namespace n on n.tenant = p_tenant and n.namespace = d.namespace
  where n.uses & 4 <> 0
  having count(*) > 0;
  return next;
end $$;
