select from_block, to_block, first_position, blocks from "pgstash".claim_blocks($1, $2)
