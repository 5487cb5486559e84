select ord, hits, previous, reset_left, tat_left, block_left
from "pgstash".adjust_counters($1, $2, $3, $4, $5, $6, $7, $8)
