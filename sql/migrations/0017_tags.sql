-- Tags: names that entries have in common, by which they are deleted together, in one small write however many they are.
--
-- A tag has a number that no other tag has, nor ever had: of the sequence of versions, a new one each time that it is deleted by. An entry holds the numbers of its tags as
-- they were when it was stored, and is there as long as all of them still are some tag's. No order, no clock: a deletion counts from its commit on, however long its
-- transaction ran before, and whatever was stored meanwhile under the number before is gone with it. A tag that is missing has no number: what was stored under it is gone.
--
-- The generation of a tagged entry is ~g (-1 - g) where that of another is g. So nothing that looks for g takes it for alive without looking at its tags, in processes of
-- older versions either; greatest(generation, ~generation) is g in both cases.

create table "pgstash".tag (
  tenant      text collate "C" not null,
  namespace   text collate "C" not null,  -- '': of the whole tenant
  tag         text collate "C" not null,
  generation  bigint not null,            -- never repeats, among all tags
  previous    bigint,                     -- the one before the last deletion
  bumped      xid8,                       -- the transaction of the last deletion
  kept_until  bigint,                     -- epoch milliseconds; null for ever: until then some entry may need it
  primary key (tenant, namespace, tag)
)
with (vacuum_truncate = off);
-- Not unique: an update that touches a key takes a stronger lock, and the sequence does not repeat.
-- The number first: "generation = any (...)" is looked up number by number then, however few tags there were when the plan was made.
create index tag_by_generation on "pgstash".tag (generation, tenant);

-- What delete_by_tag() was told in a transaction; empty otherwise.
create unlogged table "pgstash".tag_queue (
  tenant     text collate "C" not null,
  namespace  text collate "C" not null,
  tag        text collate "C" not null
);

do $$
begin
  -- Kept as entries are.
  if (select c.relpersistence from pg_class c where c.oid = '"pgstash".entry'::regclass) = 'u' then
    alter table "pgstash".tag set unlogged;
  end if;
end $$;

alter table "pgstash".entry add column tags bigint[];  -- the numbers of its tags; only where generation is negative
-- For so many milliseconds after its expiry the value may be served while another is loaded (0018); the sweep keeps it for so long.
alter table "pgstash".entry add column grace bigint;
-- The version that this is true of: a write that knows nothing of grace gives the row another, and has ended it.
alter table "pgstash".entry add column graced bigint;

create policy tenant on "pgstash".tag
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));
create policy tenant on "pgstash".tag_queue
  using (tenant = nullif(current_setting('pgstash.tenant', true), ''))
  with check (tenant = nullif(current_setting('pgstash.tenant', true), ''));

-- Whether these still are numbers of tags.
create function "pgstash".tags_hold(p_tenant text, p_tags bigint[]) returns boolean
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
begin
  return cardinality(p_tags) = (select count(*) from "pgstash".tag t where t.generation = any (p_tags) and t.tenant = p_tenant);
end $$;

-- Makes the tags that are missing, and has them kept for as long as what is about to be stored under them, and an hour more. In steps that double: a tag that is in use all
-- the time is written once in the life of an entry, not once for each. Rows are locked in the order all share.
--   p_until  when the entry expires, epoch milliseconds; null: never
create function "pgstash".keep_tags(p_tenant text[], p_namespace text[], p_tag text[], p_until bigint[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  insert into "pgstash".tag as t (tenant, namespace, tag, generation, kept_until)
  select k.tenant, k.namespace, k.tag, nextval('"pgstash".version'), k.until + greatest(0, k.until - v_now) + 3600000
  from (
    select u.tenant collate "C" as tenant, u.namespace collate "C" as namespace, u.tag collate "C" as tag,
      case when bool_and(u.until is not null) then max(u.until) end as until
    from unnest(p_tenant, p_namespace, p_tag, p_until) as u (tenant, namespace, tag, until)
    group by 1, 2, 3
  ) k
  left join lateral (
    select t.kept_until, true as is_there from "pgstash".tag t
    where t.tenant = k.tenant and t.namespace = k.namespace and t.tag = k.tag limit 1
  ) t on true
  where t.is_there is null or coalesce(t.kept_until < coalesce(k.until + 3600000, 9223372036854775807), false)
  order by k.tenant, k.namespace, k.tag
  on conflict (tenant, namespace, tag) do update set
    kept_until = case when excluded.kept_until is null then null else greatest(t.kept_until, excluded.kept_until) end
  where t.kept_until is not null;
end $$;

-- The same for tags of one tenant and for one expiry.
create function "pgstash".keep_tags_until(p_tenant text, p_namespace text[], p_tag text[], p_until bigint) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  select "pgstash".keep_tags(
    array_fill(p_tenant, array[cardinality(p_tag)]), p_namespace, p_tag, array_fill(p_until, array[cardinality(p_tag)]))
  where cardinality(p_tag) > 0
$$;

-- The numbers of tags, in their order; null where one is missing, which no number is.
create function "pgstash".tag_generations(p_tenant text, p_namespace text[], p_tag text[]) returns bigint[]
language plpgsql stable
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return (
    select array_agg(t.generation order by k.ord)
    from unnest(p_namespace, p_tag) with ordinality as k (namespace, tag, ord)
    left join lateral (
      select t.generation from "pgstash".tag t where t.tenant = p_tenant and t.namespace = k.namespace and t.tag = k.tag limit 1
    ) t on true
  );
end $$;

-- The same for tags of entries whose expiry this transaction has moved, by the rows of these.
create function "pgstash".keep_tags_of(p_rows tid[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
  perform "pgstash".keep_tags(array_agg(t.tenant), array_agg(t.namespace), array_agg(t.tag), array_agg(e.expires_at))
  from "pgstash".entry e
  cross join lateral unnest(e.tags) as g (generation)
  cross join lateral (
    select t.tenant, t.namespace, t.tag from "pgstash".tag t where t.tenant = e.tenant and t.generation = g.generation limit 1
  ) t
  where e.ctid = any (p_rows) and e.generation < 0
  having count(*) > 0;
end $$;

-- The row of a tagged entry that is there, locked; null: there is none. The lock first, then the tags, in a statement of its own: a row that was waited for may have been stored
-- after a deletion that the statement which waited does not see, and would be taken for deleted by it.
create function "pgstash".lock_tagged(p_tenant text, p_namespace text, p_key text, p_generation bigint) returns tid
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_row tid;
  v_tags bigint[];
begin
  select e.ctid, e.tags into v_row, v_tags
  from "pgstash".entry e
  where e.tenant = p_tenant and e.namespace = p_namespace and e.key = p_key
    and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
    and e.generation < 0 and ~e.generation >= p_generation
  for update;
  if found and "pgstash".tags_hold(p_tenant, v_tags) then
    return v_row;
  end if;
  return null;
end $$;

-- Tags entries that this transaction has written, and so has locked, with the numbers of now. Again until all tags are there and kept: of a tag that is deleted by at the same
-- moment the number changes, and what it was kept for counts no more.
--   p_scope  the namespace of a row's tags, '' for those of the whole tenant
--   p_tags   an array of them, as text; null: it has none
create function "pgstash".tag_entries(p_tenant text[], p_namespace text[], p_key text[], p_scope text[], p_tags text[]) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
declare
  v_is_kept boolean;
begin
  loop
    with wanted as materialized (
      select k.tenant, k.namespace, k.key, e.row, e.generation, e.tags, g.generations, g.is_kept
      from unnest(p_tenant, p_namespace, p_key, p_scope, p_tags) as k (tenant, namespace, key, scope, tags)
      cross join lateral (
        select e.ctid as row, e.generation, e.tags, e.expires_at from "pgstash".entry e
        where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
      ) e
      cross join lateral (
        select array_agg(t.generation) as generations,
          bool_and(t.generation is not null and (t.kept_until is null or coalesce(t.kept_until >= e.expires_at + 3600000, false))) as is_kept
        from unnest(k.tags::text[]) as g (tag)
        left join lateral (
          select t.generation, t.kept_until from "pgstash".tag t
          where t.tenant = k.tenant and t.namespace = k.scope and t.tag = g.tag limit 1
        ) t on true
      ) g
      where k.tags is not null
    ),
    written as (
      update "pgstash".entry e set generation = least(e.generation, ~e.generation), tags = w.generations
      from wanted w
      where e.ctid = w.row and (w.generation >= 0 or w.tags is distinct from w.generations) and w.is_kept
      returning 1
    )
    select bool_and(w.is_kept) into v_is_kept from wanted w;
    exit when v_is_kept is distinct from false;
    perform "pgstash".keep_tags(array_agg(k.tenant), array_agg(k.scope), array_agg(g.tag), array_agg(e.expires_at))
    from unnest(p_tenant, p_namespace, p_key, p_scope, p_tags) as k (tenant, namespace, key, scope, tags)
    cross join lateral (
      select e.expires_at from "pgstash".entry e where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
    ) e
    cross join lateral unnest(k.tags::text[]) as g (tag);
  end loop;
end $$;

-- Sets of which at least one is tagged: each key once, in an order all processes share; versions come back in the order given. As set.sql; the numbers of the tags are looked at again once the
-- rows are locked: a set that waited for a row across a deletion must not hide the newer one it replaces.
create function "pgstash".set_tagged_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_writes bigint[], p_scope text[], p_tags text[], p_nonce bigint, p_grace bigint[]
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
  return query
  insert into "pgstash".entry as e
    (tenant, namespace, key, generation, version, format, expires_at, written_at, long_key, value, tags, grace, graced)
  select k.tenant, k.namespace, k.key,
    case when k.tags is null then g.generation else ~g.generation end,
    v_base + coalesce(k.writes, 1) - 1, coalesce(k.format, 't')::"char", v_now + k.ttl, v_now, k.long_key, k.value, a.generations,
    k.grace, case when k.grace is not null then v_base + coalesce(k.writes, 1) - 1 end
  from unnest(p_tenant, p_namespace, p_key, p_long_key, p_format, p_value, p_ttl, p_writes, p_scope, p_tags, p_grace)
    with ordinality as k (tenant, namespace, key, long_key, format, value, ttl, writes, scope, tags, grace, ord)
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  cross join lateral (select coalesce(t.generation, 0) + coalesce(n.generation, 0) as generation) g
  cross join lateral (
    select array_agg(t.generation) as generations
    from unnest(k.tags::text[]) as w (tag)
    left join lateral (
      select t.generation from "pgstash".tag t where t.tenant = k.tenant and t.namespace = k.scope and t.tag = w.tag limit 1
    ) t on true
  ) a
  order by k.ord
  on conflict (tenant, namespace, key) do update set
    generation = case when excluded.generation < 0 then least(e.generation, ~e.generation, excluded.generation)
      else greatest(e.generation, ~e.generation, excluded.generation) end,
    version = case when e.version < v_base then excluded.version else nextval('"pgstash".version') + excluded.version % 64 end,
    format = excluded.format,
    expires_at = excluded.expires_at,
    written_at = excluded.written_at,
    value = excluded.value,
    tags = excluded.tags,
    grace = excluded.grace,
    graced = excluded.graced
  returning e.version;
  perform "pgstash".tag_entries(p_tenant, p_namespace, p_key, p_scope, p_tags);
  if p_grace is not null then
    -- Where the row had a version as new as that, seldom, it has a newer one now.
    update "pgstash".entry e set graced = e.version
    from unnest(p_tenant, p_namespace, p_key) as k (tenant, namespace, key)
    where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key and e.graced <> e.version;
    perform "pgstash".keep_tags(array_agg(k.tenant), array_agg(k.scope), array_agg(g.tag), array_agg(e.expires_at + k.grace))
    from unnest(p_tenant, p_namespace, p_key, p_scope, p_tags, p_grace) as k (tenant, namespace, key, scope, tags, grace)
    cross join lateral (
      select e.expires_at from "pgstash".entry e where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
    ) e
    cross join lateral unnest(k.tags::text[]) as g (tag)
    where k.grace is not null
    having count(*) > 0;
  end if;
  perform "pgstash".near_tell(p_tenant, p_namespace, p_key, p_nonce);
end $$;

-- add_entries with tags.
create function "pgstash".add_tagged_entries(
  p_tenant text[], p_namespace text[], p_key text[], p_long_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_scope text[], p_tags text[], p_nonce bigint
) returns table (ord bigint, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_added bigint[];
  v_versions bigint[];
begin
  select array_agg(a.ord), array_agg(a.version) into v_added, v_versions
  from "pgstash".add_entries_told(p_tenant, p_namespace, p_key, p_long_key, p_format, p_value, p_ttl, p_nonce) a;
  if v_added is not null then
    perform "pgstash".tag_entries(
      array_agg(p_tenant[a.ord]), array_agg(p_namespace[a.ord]), array_agg(p_key[a.ord]), array_agg(p_scope[a.ord]), array_agg(p_tags[a.ord]))
    from unnest(v_added) as a (ord);
    return query select a.ord, a.version from unnest(v_added, v_versions) as a (ord, version);
  end if;
end $$;

-- compare_and_set_entries with tags.
create function "pgstash".compare_and_set_tagged_entries(
  p_tenant text[], p_namespace text[], p_key text[],
  p_format text[], p_value text[], p_ttl bigint[], p_version bigint[], p_scope text[], p_tags text[], p_nonce bigint
) returns table (ord bigint, ok boolean, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_set bigint[];
begin
  for ord, ok, version in
    select c.ord, c.ok, c.version
    from "pgstash".compare_and_set_entries_told(p_tenant, p_namespace, p_key, p_format, p_value, p_ttl, p_version, p_nonce) c
  loop
    if ok then
      v_set := v_set || ord;
    end if;
    return next;
  end loop;
  if v_set is not null then
    perform "pgstash".tag_entries(
      array_agg(p_tenant[a.ord]), array_agg(p_namespace[a.ord]), array_agg(p_key[a.ord]), array_agg(p_scope[a.ord]), array_agg(p_tags[a.ord]))
    from unnest(v_set) as a (ord);
  end if;
end $$;

-- Deletes what was stored under tags: one row for each tag. They are locked in the order all share. Answers the numbers that are void from the commit on.
create function "pgstash".bump_tags(p_tenant text[], p_namespace text[], p_tag text[], p_nonce bigint) returns table (void bigint)
language plpgsql rows 10
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set enable_hashjoin = off set enable_mergejoin = off
set plan_cache_mode = force_generic_plan
as $$
begin
  return query
  with bumped as (
    insert into "pgstash".tag as t (tenant, namespace, tag, generation, bumped, kept_until)
    select k.tenant, k.namespace, k.tag, nextval('"pgstash".version'), pg_current_xact_id(),
      -- For loads under way, which have to see that it was deleted by. Not the time of the transaction, which may have been running for long.
      floor(extract(epoch from clock_timestamp()) * 1000)::bigint + 3600000
    from (
      select distinct u.tenant collate "C" as tenant, u.namespace collate "C" as namespace, u.tag collate "C" as tag
      from unnest(p_tenant, p_namespace, p_tag) as u (tenant, namespace, tag)
    ) k
    order by k.tenant, k.namespace, k.tag
    on conflict (tenant, namespace, tag) do update set
      previous = t.generation, generation = excluded.generation, bumped = excluded.bumped, kept_until = excluded.kept_until
    returning t.tenant, t.namespace, t.previous
  ),
  told as (
    insert into "pgstash".invalidation (kind, nonce, digests)
    select 'g', p_nonce, array_agg(b.previous)
    from bumped b
    cross join lateral (
      select n.uses from "pgstash".namespace n where n.tenant = b.tenant and n.namespace = b.namespace limit 1
    ) n
    where n.uses & 3 <> 0 and b.previous is not null
    having count(*) > 0
  )
  select b.previous from bumped b where b.previous is not null;
end $$;

-- For psql and triggers: takes effect with the commit of the transaction. Queued until then, and done in the order all share: so transactions that delete by the same tags in
-- another order do not wait for each other crosswise, and nobody waits for one that runs long.
--   p_namespace  as it is stored (with its version: name@v2); null: tags of the whole tenant
create function "pgstash".delete_by_tag(p_tenant text, p_namespace text, variadic p_tags text[]) returns void
language sql
set search_path = pg_catalog, pg_temp
as $$
  insert into "pgstash".tag_queue (tenant, namespace, tag)
  select p_tenant, coalesce(p_namespace, ''), k.tag from unnest(p_tags) as k (tag)
$$;

create function "pgstash".bump_queued_tags() returns trigger
language plpgsql
set search_path = pg_catalog, pg_temp
as $$
declare
  v_setting text := current_setting('pgstash.tenant', true);
  v_namespaces text[];
  v_tags text[];
begin
  -- Under row-level security the queue shows one tenant's rows: this one's.
  perform set_config('pgstash.tenant', new.tenant, true);
  with queued as (
    delete from "pgstash".tag_queue q where q.tenant = new.tenant returning q.namespace, q.tag
  )
  select array_agg(q.namespace), array_agg(q.tag) into v_namespaces, v_tags from queued q;
  -- The first of them does all.
  if v_tags is not null then
    perform "pgstash".bump_tags(array_fill(new.tenant, array[cardinality(v_tags)]), v_namespaces, v_tags, null);
  end if;
  perform set_config('pgstash.tenant', coalesce(v_setting, ''), true);
  return null;
end $$;

create constraint trigger bump_queued after insert on "pgstash".tag_queue
deferrable initially deferred for each row execute function "pgstash".bump_queued_tags();

-- The verbs, which look at the tags of what has any. First what they do without: nothing is added to that.

-- As in 0015. What is held by a tagged entry is looked at afterwards: its row is locked by then.
create or replace function "pgstash".add_entries_told(
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
  v_added bigint;
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
      value = excluded.value,
      tags = null
    where e.expires_at <= excluded.written_at or greatest(e.generation, ~e.generation) < excluded.generation
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
  get diagnostics v_added = row_count;
  if v_added = cardinality(p_key) then
    return;
  end if;
  return query
  with dead as materialized (
    select k.ord, e.row, coalesce(t.generation, 0) + coalesce(n.generation, 0) as generation, k.format, k.value, k.ttl
    from unnest(p_tenant, p_namespace, p_key, p_format, p_value, p_ttl)
      with ordinality as k (tenant, namespace, key, format, value, ttl, ord)
    cross join lateral (
      select e.ctid as row, e.generation, e.tags from "pgstash".entry e
      where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
    ) e
    left join lateral (
      select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
    ) t on true
    left join lateral (
      select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
    ) n on true
    where e.generation < 0 and not "pgstash".tags_hold(k.tenant, e.tags)
  ),
  written as (
    update "pgstash".entry e set
      generation = greatest(~e.generation, d.generation),
      version = nextval('"pgstash".version'),
      format = coalesce(d.format, 't')::"char",
      expires_at = v_now + d.ttl,
      written_at = v_now,
      value = d.value,
      tags = null
    from dead d
    where e.ctid = d.row
    returning d.ord, e.version, e.tenant, e.namespace, e.key
  ),
  told as (
    select "pgstash".near_tell(array_agg(w.tenant), array_agg(w.namespace), array_agg(w.key), p_nonce) as told
    from written w where v_is_told having count(*) > 0
  )
  select w.ord, w.version from written w left join told t on true;
end $$;

-- As in 0015; without tags it takes them away.
create or replace function "pgstash".compare_and_set_entries_told(
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
  v_row tid;
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
      v_row := "pgstash".lock_tagged(p_tenant[i], p_namespace[i], p_key[i], v_generation);
      if v_row is not null then
        update "pgstash".entry e set
          generation = ~e.generation,
          version = nextval('"pgstash".version'),
          format = coalesce(p_format[i], 't')::"char",
          expires_at = v_now + p_ttl[i],
          written_at = v_now,
          value = p_value[i],
          tags = null
        where e.ctid = v_row and e.version = p_version[i]
        returning e.version into version;
        ok := found;
      end if;
    end if;
    if not ok then
      version := (
        select e.version from "pgstash".entry e
        where e.tenant = p_tenant[i] and e.namespace = p_namespace[i] and e.key = p_key[i]
          and (e.expires_at is null or e.expires_at > v_now) and (e.generation >= v_generation or e.ctid = v_row)
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

-- As in 0015. What is tagged is added to afterwards, when its row is locked; it keeps its tags.
create or replace function "pgstash".increment_entries_told(
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
  v_added bigint;
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
      generation = greatest(e.generation, ~e.generation, excluded.generation),
      version = case when e.version < v_base then v_base else nextval('"pgstash".version') end,
      format = 'i',
      expires_at = case when e.expires_at <= excluded.written_at or greatest(e.generation, ~e.generation) < excluded.generation
        then excluded.expires_at else e.expires_at end,
      written_at = excluded.written_at,
      value = case when e.expires_at <= excluded.written_at or greatest(e.generation, ~e.generation) < excluded.generation
        then excluded.value else (e.value::bigint + excluded.value::bigint)::text end,
      tags = null
    where case
      when e.expires_at <= excluded.written_at or greatest(e.generation, ~e.generation) < excluded.generation then true
      when e.format = 'i' and e.generation >= 0 then abs(e.value::bigint + excluded.value::bigint) <= 9007199254740991
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
  get diagnostics v_added = row_count;
  if v_added = cardinality(p_key) then
    return;
  end if;
  return query
  with tagged as materialized (
    select k.ord, e.row, k.amount, k.ttl, coalesce(t.generation, 0) + coalesce(n.generation, 0) as generation,
      "pgstash".tags_hold(k.tenant, e.tags) as holds
    from unnest(p_tenant, p_namespace, p_key, p_amount, p_ttl) with ordinality as k (tenant, namespace, key, amount, ttl, ord)
    cross join lateral (
      select e.ctid as row, e.generation, e.tags from "pgstash".entry e
      where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
    ) e
    left join lateral (
      select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
    ) t on true
    left join lateral (
      select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
    ) n on true
    where e.generation < 0
  ),
  written as (
    update "pgstash".entry e set
      generation = case when a.holds then e.generation else greatest(~e.generation, a.generation) end,
      version = nextval('"pgstash".version'),
      format = 'i',
      expires_at = case when a.holds then e.expires_at else v_now + a.ttl end,
      written_at = v_now,
      value = case when a.holds then e.value::bigint + a.amount else a.amount end::text,
      tags = case when a.holds then e.tags end
    from tagged a
    where e.ctid = a.row and case
      when not a.holds then true
      when e.format = 'i' then abs(e.value::bigint + a.amount) <= 9007199254740991
      else false
    end
    returning a.ord, e.value, e.tenant, e.namespace, e.key
  ),
  told as (
    select "pgstash".near_tell(array_agg(w.tenant), array_agg(w.namespace), array_agg(w.key), p_nonce) as told
    from written w where v_is_told having count(*) > 0
  )
  select w.ord, w.value from written w left join told t on true;
end $$;

-- As in 0015; the tags stay.
create or replace function "pgstash".touch_entries_told(p_tenant text[], p_namespace text[], p_key text[], p_ttl bigint[], p_nonce bigint)
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
  v_is_touched boolean;
  v_row tid;
  v_tagged tid[];
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
    v_is_touched := found;
    if not v_is_touched then
      v_row := "pgstash".lock_tagged(p_tenant[i], p_namespace[i], p_key[i], v_generation);
      update "pgstash".entry e set expires_at = v_now + p_ttl[i] where e.ctid = v_row returning e.ctid into v_row;
      v_is_touched := found;
      if v_is_touched then
        v_tagged := v_tagged || v_row;
      end if;
    end if;
    if v_is_touched then
      ord := i;
      return next;
      if v_is_told then
        v_told := v_told || "pgstash".near_digest(p_tenant[i], p_namespace[i], p_key[i]);
      end if;
    end if;
  end loop;
  if v_tagged is not null then
    perform "pgstash".keep_tags_of(v_tagged);
  end if;
  if v_told is not null then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('k', p_nonce, v_told);
  end if;
end $$;

-- As in 0015. The tags are looked at when the row is gone: see lock_tagged().
create or replace function "pgstash".take_entries_told(p_tenant text[], p_namespace text[], p_key text[], p_nonce bigint)
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
  v_tags bigint[];
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
    returning e.format, e.value,
      (e.expires_at is null or e.expires_at > v_now) and greatest(e.generation, ~e.generation) >= v_generation,
      case when e.generation < 0 then e.tags end
    into format, value, v_is_live, v_tags;
    if v_tags is not null and v_is_live then
      v_is_live := "pgstash".tags_hold(p_tenant[i], v_tags);
    end if;
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

-- As in 0015.
create or replace function "pgstash".delete_prefix_told(
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
  v_tagged tid[];
begin
  select coalesce(t.generation, 0) + coalesce(n.generation, 0), coalesce(n.uses & 3 <> 0, false) into v_generation, v_is_told
  from (values (true)) o
  left join "pgstash".namespace t on t.tenant = p_tenant and t.namespace = ''
  left join "pgstash".namespace n on n.tenant = p_tenant and n.namespace = p_namespace;
  select array_agg(d.ctid), count(*), count(*) filter (where d.is_live), array_agg(d.ctid) filter (where d.is_live and d.generation < 0), max(d.key)
  into v_doomed, removed, live, v_tagged, last_key
  from (
    select e.ctid, e.key, e.generation,
      (e.expires_at is null or e.expires_at > v_now) and greatest(e.generation, ~e.generation) >= v_generation as is_live
    from "pgstash".entry e
    where e.tenant = p_tenant and e.namespace = p_namespace
      and e.key >= p_from and (e.namespace, e.key) < (v_upper_namespace, v_upper)
      and p_long = (e.long_key is not null)
      and starts_with(coalesce(e.long_key, e.key), p_prefix)
    order by e.key limit p_limit
    for update of e
  ) d;
  if v_tagged is not null then
    live := live - (select count(*) from "pgstash".entry e where e.ctid = any (v_tagged) and not "pgstash".tags_hold(p_tenant, e.tags));
  end if;
  delete from "pgstash".entry e where e.ctid = any (v_doomed);
  if v_is_told and live > 0 then
    insert into "pgstash".invalidation (kind, nonce, digests) values ('n', p_nonce, array["pgstash".near_digest(p_tenant, p_namespace)]);
  end if;
  return next;
end $$;

-- As in 0002.
create or replace function "pgstash".read_entries(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, format "char", value text, version bigint, expires_at bigint)
language plpgsql stable rows 100
set search_path = pg_catalog, pg_temp
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
    select e.format, e.value, e.version, e.expires_at, e.generation, e.tags from "pgstash".entry e
    where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
  ) e
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  where (e.expires_at is null or e.expires_at > v_now)
    and greatest(e.generation, ~e.generation) = coalesce(t.generation, 0) + coalesce(n.generation, 0)
    and (e.generation >= 0 or "pgstash".tags_hold(k.tenant, e.tags));
end $$;

create or replace function "pgstash".read_ttls(p_tenant text[], p_namespace text[], p_key text[])
returns table (ord bigint, ttl bigint)
language plpgsql stable rows 100
set search_path = pg_catalog, pg_temp
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
    select e.expires_at, e.generation, e.tags from "pgstash".entry e
    where e.tenant = k.tenant and e.namespace = k.namespace and e.key = k.key limit 1
  ) e
  left join lateral (
    select t.generation from "pgstash".namespace t where t.tenant = k.tenant and t.namespace = '' limit 1
  ) t on true
  left join lateral (
    select n.generation from "pgstash".namespace n where n.tenant = k.tenant and n.namespace = k.namespace limit 1
  ) n on true
  where (e.expires_at is null or e.expires_at > v_now)
    and greatest(e.generation, ~e.generation) = coalesce(t.generation, 0) + coalesce(n.generation, 0)
    and (e.generation >= 0 or "pgstash".tags_hold(k.tenant, e.tags));
end $$;

-- As in 0011.
create or replace function "pgstash".scan_entries(
  p_tenant text, p_namespace text, p_from text, p_upper text,
  p_prefix text, p_match text, p_long boolean, p_values boolean, p_limit bigint
) returns table (stored_key text, key text, format "char", value text)
language plpgsql stable rows 100
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_upper_namespace text := case when p_upper is null then p_namespace || E'\x01' else p_namespace end;
  v_upper text := coalesce(p_upper, '');
begin
  return query
  select e.key, coalesce(e.long_key, e.key), e.format, case when p_values then e.value end
  from "pgstash".entry e
  where e.tenant = p_tenant and e.namespace = p_namespace
    and e.key >= p_from and (e.namespace, e.key) < (v_upper_namespace, v_upper)
    and (p_long is null or p_long = (e.long_key is not null))
    and (p_prefix is null or starts_with(coalesce(e.long_key, e.key), p_prefix))
    and (p_match is null or coalesce(e.long_key, e.key) ~ p_match)
    and (e.expires_at is null or e.expires_at > "pgstash".now_ms())
    and greatest(e.generation, ~e.generation) = (select "pgstash".generation_of(p_tenant, p_namespace))
    and (e.generation >= 0 or "pgstash".tags_hold(p_tenant, e.tags))
  order by e.key
  limit p_limit;
end $$;

-- As in 0006.
create or replace function "pgstash".quota_cut(p_tenant text, p_max_entries bigint, p_max_bytes bigint)
returns table (written_at bigint, version bigint, namespace text, key text)
language plpgsql stable rows 1
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint := coalesce(
    (select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = ''), 0);
begin
  return query
  select r.written_at, r.version, r.namespace, r.key
  from (
    select e.written_at, e.version, e.namespace, e.key,
      row_number() over newest as place, sum(octet_length(e.value)) over newest as bytes
    from "pgstash".entry e
    left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
    where e.tenant = p_tenant
      and (e.expires_at is null or e.expires_at > v_now)
      and greatest(e.generation, ~e.generation) >= v_generation + coalesce(n.generation, 0)
      and (e.generation >= 0 or "pgstash".tags_hold(p_tenant, e.tags))
    window newest as (order by e.written_at desc, e.version desc, e.namespace desc, e.key desc)
  ) r
  where r.place > p_max_entries or r.bytes > p_max_bytes
  order by r.place
  limit 1;
end $$;

-- As in 0008; what is in its grace stays (a placeholder of 0018 for as long as its load may take), and what is deleted by a tag counts as cleared. Of those the tags are looked at once more, in a statement that begins when their rows are locked: a row that was
-- stored anew under the new number, while the first one ran, would be taken for deleted by what that one sees of the tags.
create or replace function "pgstash".sweep_blocks(p_from bigint, p_to bigint)
returns table (expired bigint, cleared bigint)
language plpgsql rows 1
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
set jit = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
  v_tagged tid[];
  v_removed bigint;
begin
  perform set_config('synchronous_commit', 'off', true);
  select array_agg(d.ctid) filter (where not d.is_suspect), array_agg(d.ctid) filter (where d.is_suspect), count(*) filter (where d.is_expired)
  into v_dead, v_tagged, expired
  from (
    select e.ctid, coalesce(e.expires_at <= v_now, false) and not coalesce(e.graced = e.version and e.expires_at + e.grace > v_now, false) as is_expired,
      e.generation < 0 and not (coalesce(e.expires_at <= v_now, false) and not coalesce(e.graced = e.version and e.expires_at + e.grace > v_now, false)) and ~e.generation >=
        coalesce((select n.generation from "pgstash".namespace n where n.tenant = e.tenant and n.namespace = ''), 0)
        + coalesce((select n.generation from "pgstash".namespace n where n.tenant = e.tenant and n.namespace = e.namespace), 0) as is_suspect
    from "pgstash".entry e
    where e.ctid >= format('(%s,0)', p_from)::tid and e.ctid < format('(%s,0)', p_to)::tid
      and (e.expires_at <= v_now and not coalesce(e.graced = e.version and e.expires_at + e.grace > v_now, false)
        or greatest(e.generation, ~e.generation) <
          coalesce((select n.generation from "pgstash".namespace n where n.tenant = e.tenant and n.namespace = ''), 0)
          + coalesce((select n.generation from "pgstash".namespace n where n.tenant = e.tenant and n.namespace = e.namespace), 0)
        or e.generation < 0 and not "pgstash".tags_hold(e.tenant, e.tags))
    for update of e skip locked
  ) d;
  delete from "pgstash".entry e where e.ctid = any (v_dead);
  get diagnostics v_removed = row_count;
  cleared := v_removed - expired;
  if v_tagged is not null then
    delete from "pgstash".entry e where e.ctid = any (v_tagged) and not "pgstash".tags_hold(e.tenant, e.tags);
    get diagnostics v_removed = row_count;
    cleared := cleared + v_removed;
  end if;
  return next;
end $$;

-- Tags that no entry can need any more: all that was stored under them has expired, for an hour. A set that is under way, and so slow that this is true of what it stores, stores
-- what has expired. Whatever one thinks of clocks: what is stored under a tag that is missing is gone, not alive.
create function "pgstash".sweep_tags(p_from bigint, p_to bigint) returns bigint
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
    select t.ctid from "pgstash".tag t
    where t.ctid >= format('(%s,0)', p_from)::tid and t.ctid < format('(%s,0)', p_to)::tid and t.kept_until <= v_now
    for update skip locked
  ) d;
  delete from "pgstash".tag t where t.ctid = any (v_dead) and t.kept_until <= v_now;
  return coalesce(cardinality(v_dead), 0);
end $$;

-- As in 0007, with tags.
create or replace function "pgstash".reserve_blocks() returns void
language plpgsql
set search_path = pg_catalog, pg_temp
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
  if pg_relation_size('"pgstash".tag') < 128 * v_block then
    insert into "pgstash".tag (tenant, namespace, tag, generation)
    select '', '', rpad(i::text, 1900, '-'), 0 from generate_series(1, 512) i;
    delete from "pgstash".tag where tenant = '';
  end if;
end $$;

-- As in 0009. tags: what they are called.
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
    to_timestamp(e.written_at / 1000.0) as written_at,
    case when e.generation < 0 then array(
      select a.tag from "pgstash".tag a where a.generation = any (e.tags) and a.tenant = e.tenant order by a.tag
    ) end as tags
  from "pgstash".entry e
  left join "pgstash".namespace t on t.tenant = e.tenant and t.namespace = ''
  left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
  where (e.expires_at is null or e.expires_at > "pgstash".now_ms())
    and greatest(e.generation, ~e.generation) = coalesce(t.generation, 0) + coalesce(n.generation, 0)
    and (e.generation >= 0 or cardinality(e.tags) = (
      select count(*) from "pgstash".tag a where a.generation = any (e.tags) and a.tenant = e.tenant
    ));
  if v_is_invoker then
    execute 'alter view "pgstash".live_entry set (security_invoker = true)';
  end if;
end $$;
