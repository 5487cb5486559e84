-- Statements that need no function: those for one key, and those on the hottest paths. Called through a function of
-- 0002 a lone get took 113 us, as a statement of its own 98 us; a batch of 64 took 1.25 times as long.
--
-- What the functions were for is then to be had otherwise:
--   a generic plan     the statements take arrays as "(select $n)": a planner that does not see how long they are has no reason to
--                      plan anew at every call
--   never a scan       a plan made while a table was small must still look keys up when it has grown. The planner counts the blocks of
--                      the file, so the files are never small: reserve_blocks() below. A look-up then is the cheapest plan at
--                      any number of rows.
--   never turned round "lateral ... limit 1", as in 0002
-- The functions of 0002 that nothing calls any more stay: a process of the last version may still run.

-- Makes the files as large as a look-up needs to be the cheapest plan (with a random page at most 16 times as dear as the
-- next one), by filling blocks and emptying them again. Whatever comes later uses them.
create function "pgstash".reserve_blocks() returns void
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
end $$;

-- vacuum_truncate: what is empty at the end of the file stays there. It would come back with the next crowd of entries, and
-- cutting it off takes a lock that stops everybody.
alter table "pgstash".entry set (vacuum_truncate = off);
-- 10: room for the bumps of clear(), and blocks enough (see above).
alter table "pgstash".namespace set (vacuum_truncate = off, fillfactor = 10);
