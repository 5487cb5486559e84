-- Entries, and the generations that make clear() one small write.
--
-- collate "C": keys compare byte by byte, so a prefix is a range of the primary key in every locale, and
-- comparing costs memcmp() instead of strcoll().

create table "pgstash".namespace (
  tenant      text collate "C" not null,
  namespace   text collate "C" not null,   -- '' is the tenant itself: clearing a whole tenant bumps this row
  generation  bigint not null,
  primary key (tenant, namespace)
);

-- Versions. A sequence, not the clock: it never repeats, also where the clock is coarse (PGlite: milliseconds) or is set
-- back. In steps of 64, so that up to 64 sets of one key that travel as one row get a version each; begun at the time
-- in microseconds, so that a schema made anew does not give versions again that somebody may still hold.
create sequence "pgstash".version increment by 64;
select setval('"pgstash".version', floor(extract(epoch from now()) * 1000000 / 64)::bigint * 64);

create table "pgstash".entry (
  tenant      text collate "C" not null,
  namespace   text collate "C" not null,
  key         text collate "C" not null,   -- the caller's key, or '#sha256:...' where that would not fit an index row
  generation  bigint not null,             -- visible only while it equals the tenant's plus the namespace's
  version     bigint not null,             -- grows with every write of the key, and never repeats
  format      "char" not null,             -- t text, j JSON, i integer, b bytes in base64
  expires_at  bigint,                      -- epoch milliseconds; null never
  written_at  bigint not null,             -- epoch milliseconds
  long_key    text collate "C",            -- the caller's key, where key holds its digest
  value       text not null,
  primary key (tenant, namespace, key)
)
-- 80: room on the page for the next version of a row, so that an overwrite stays on it (HOT) and touches no index.
-- There is no index on expires_at for the same reason: it would make every overwrite with a new expiry touch all indexes.
with (fillfactor = 80);
