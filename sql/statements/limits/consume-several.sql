select is_row, ord, granted, hits, previous, reset_left, tat_left, block_left, strikes
from "pgstash".consume_limits($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)
