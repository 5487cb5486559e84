-- $1 xmax and $2 xip, with commas between, of the last answer's snapshot; null: where the log stands, and no rows.
select kind, nonce, digests, turn, pruned, incarnation, is_due
from "pgstash".near_poll($1::text::xid8, pg_catalog.string_to_array($2, ',')::xid8[])
