-- Listings in databases of any encoding. collate "C" compares bytes as the server holds them, and where a range of keys ends in bytes only the server can
-- tell: the character that follows in UTF-8, or the last one of all, may not exist in LATIN1 or EUC_JP.

-- A bound behind all texts that begin with p_prefix; null: none is needed, or there is none. In an encoding of several bytes that is not UTF8 it may lie
-- further behind than it must: whoever asks looks at the prefix as well.
create function "pgstash".prefix_end(p_prefix text) returns text
language plpgsql immutable
set search_path = pg_catalog, pg_temp
as $$
declare
  v_encoding name := getdatabaseencoding();
  v_has_codes boolean := v_encoding = 'UTF8' or pg_encoding_max_length(pg_char_to_encoding(v_encoding)) = 1;
  v_most integer := case when v_encoding = 'UTF8' then 1114111 else 255 end;
  v_head text := p_prefix;
  v_last bytea;
  v_code integer;
begin
  while v_head <> '' loop
    if v_has_codes then
      v_code := ascii(right(v_head, 1));
      v_head := left(v_head, -1);
      if v_code < v_most then
        -- Between them lie the surrogates, which are no characters.
        return v_head || chr(case v_code when 55295 then 57344 else v_code + 1 end);
      end if;
    else
      v_last := convert_to(right(v_head, 1), v_encoding);
      v_head := left(v_head, -1);
      for v_byte in get_byte(v_last, length(v_last) - 1) + 1 .. 254 loop
        begin
          return v_head || convert_from(set_byte(v_last, length(v_last) - 1, v_byte), v_encoding);
        exception when character_not_in_repertoire or untranslatable_character then
          null;
        end;
      end loop;
    end if;
  end loop;
  return null;
end $$;

-- As in 0002. p_upper null: to the end of the namespace, which is where the least that may follow it begins. As a pair, for with "p_upper is null or ..." the
-- index would be read to its end.
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
    and e.generation = (select "pgstash".generation_of(p_tenant, p_namespace))
  order by e.key
  limit p_limit;
end $$;

create or replace function "pgstash".delete_prefix(
  p_tenant text, p_namespace text, p_from text, p_upper text, p_prefix text, p_long boolean, p_limit bigint
) returns table (removed bigint, live bigint, last_key text)
language plpgsql rows 1
set enable_seqscan = off set enable_bitmapscan = off set plan_cache_mode = force_generic_plan
set search_path = pg_catalog, pg_temp
as $$
#variable_conflict use_column
declare
  v_now bigint := "pgstash".now_ms();
  v_generation bigint := "pgstash".generation_of(p_tenant, p_namespace);
  v_upper_namespace text := case when p_upper is null then p_namespace || E'\x01' else p_namespace end;
  v_upper text := coalesce(p_upper, '');
  v_doomed tid[];
begin
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
  return next;
end $$;
