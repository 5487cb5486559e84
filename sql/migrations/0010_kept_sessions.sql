-- Sessions of stores that refuse lost updates stay for a while after their expiry: a request under way may save one that expired meanwhile, and what is not there
-- has been destroyed.

alter table "pgstash".session add column kept_ms bigint not null default 0;  -- how long the sweep spares the row after its expiry

-- As in 0007; expired sessions as well, for whoever still has their version; they are kept for an hour from then on (keptMs of Sessions). A session that ends by
-- what is set gets a new version: requests under way shall not bring it back.
create or replace function "pgstash".replace_sessions(
  p_tenant text[], p_namespace text[], p_id text[], p_user text[], p_data text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[],
  p_version bigint[]
) returns table (ord bigint, is_set boolean, version bigint)
language plpgsql rows 100
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
begin
  for i in 1 .. pg_catalog.cardinality(p_id) loop
    ord := i;
    update "pgstash".session s set
      user_id = p_user[i],
      version = case
        when s.data = p_data[i] and p_ttl[i] > 0 then s.version
        else greatest(s.version + 1, pg_catalog.nextval('"pgstash".version'))
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
    if not is_set then
      version := (
        select s.version from "pgstash".session s
        where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i]
      );
      -- Nothing to write.
      is_set := coalesce(version = p_version[i], false);
    end if;
    return next;
  end loop;
end $$;

-- As in 0007; what ends by it gets a new version.
create or replace function "pgstash".touch_sessions(
  p_tenant text[], p_namespace text[], p_id text[], p_cookie text[], p_ttl bigint[], p_touch_after bigint[]
) returns void
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
begin
  for i in 1 .. pg_catalog.cardinality(p_id) loop
    update "pgstash".session s set
      expires_at = v_now + p_ttl[i],
      cookie = coalesce(p_cookie[i], s.cookie),
      version = case when p_ttl[i] > 0 then s.version else greatest(s.version + 1, pg_catalog.nextval('"pgstash".version')) end
    where s.tenant = p_tenant[i] and s.namespace = p_namespace[i] and s.id = p_id[i] and s.expires_at > v_now
      and ("pgstash".is_moved(v_now + p_ttl[i] - s.expires_at, p_touch_after[i]) or s.cookie is distinct from coalesce(p_cookie[i], s.cookie));
  end loop;
end $$;

-- As in 0007; those that are kept, later.
create or replace function "pgstash".sweep_sessions(p_from bigint, p_to bigint) returns bigint
language plpgsql
set search_path = pg_catalog, pg_temp
set enable_seqscan = off set jit = off set plan_cache_mode = force_generic_plan
as $$
declare
  v_now bigint := "pgstash".now_ms();
  v_dead tid[];
begin
  -- A crash may bring back what is dead anyway: nobody waits for the log.
  perform pg_catalog.set_config('synchronous_commit', 'off', true);
  select pg_catalog.array_agg(d.ctid) into v_dead from (
    select s.ctid from "pgstash".session s
    where s.ctid >= pg_catalog.format('(%s,0)', p_from)::tid and s.ctid < pg_catalog.format('(%s,0)', p_to)::tid
      and s.expires_at + s.kept_ms <= v_now
    for update skip locked
  ) d;
  delete from "pgstash".session s where s.ctid = any (v_dead) and s.expires_at + s.kept_ms <= v_now;
  return coalesce(pg_catalog.cardinality(v_dead), 0);
end $$;
