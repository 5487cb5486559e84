-- Quotas: over quota, the entries of a tenant that were written longest ago go first, in the sweep.

-- Removes at most p_limit entries of a tenant that are beyond its p_max_entries newest, or beyond the newest that p_max_bytes hold
-- (null: no limit). Answers how many were beyond; fewer than p_limit means that none is left. What somebody else holds is
-- left alone, and so is what was written meanwhile: it lies elsewhere by then.
create function "pgstash".evict_oldest(p_tenant text, p_max_entries bigint, p_max_bytes bigint, p_limit bigint)
returns table (beyond bigint, evicted bigint)
language plpgsql rows 1
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint := coalesce(
    (select n.generation from "pgstash".namespace n where n.tenant = p_tenant and n.namespace = ''), 0);
  v_doomed tid[];
begin
  select array_agg(d.ctid), count(*) into v_doomed, beyond
  from (
    select r.ctid
    from (
      select e.ctid, row_number() over newest as place, sum(octet_length(e.value)) over newest as bytes
      from "pgstash".entry e
      left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
      where e.tenant = p_tenant
        and (e.expires_at is null or e.expires_at > v_now)
        and e.generation >= v_generation + coalesce(n.generation, 0)
      window newest as (order by e.written_at desc, e.version desc, e.namespace, e.key)
    ) r
    where r.place > p_max_entries or r.bytes > p_max_bytes
    order by r.place desc
    limit p_limit
  ) d;
  select array_agg(e.ctid) into v_doomed
  from (
    select e.ctid from "pgstash".entry e where e.ctid = any (v_doomed) for update of e skip locked
  ) e;
  delete from "pgstash".entry e where e.ctid = any (v_doomed);
  get diagnostics evicted = row_count;
  return next;
end $$;
