-- Quotas: over quota, the entries of a tenant that were written longest ago go first, in the sweep.

-- The newest of a tenant's entries that is beyond its p_max_entries newest, or beyond the newest that p_max_bytes hold (null: no
-- limit): it goes, and so does every one before it. No row: the tenant is within its quota.
create function "pgstash".quota_cut(p_tenant text, p_max_entries bigint, p_max_bytes bigint)
returns table (written_at bigint, version bigint, namespace text, key text)
language plpgsql stable rows 1
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
      and e.generation >= v_generation + coalesce(n.generation, 0)
    window newest as (order by e.written_at desc, e.version desc, e.namespace desc, e.key desc)
  ) r
  where r.place > p_max_entries or r.bytes > p_max_bytes
  order by r.place
  limit 1;
end $$;

-- One small step of an eviction: at most p_limit of the entries up to the cut, in key order behind p_from. Fewer seen means that
-- none is left. What somebody else holds is left alone, and so is what was written meanwhile: it is beyond the cut.
create function "pgstash".evict_written(
  p_tenant text, p_written_at bigint, p_version bigint, p_namespace text, p_key text,
  p_from_namespace text, p_from_key text, p_limit bigint
) returns table (seen bigint, evicted bigint, last_namespace text, last_key text)
language plpgsql rows 1
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
  delete from "pgstash".entry e
  where e.ctid = any (v_doomed)
    and (e.written_at, e.version, e.namespace, e.key) <= (p_written_at, p_version, p_namespace, p_key);
  get diagnostics evicted = row_count;
  return next;
end $$;
