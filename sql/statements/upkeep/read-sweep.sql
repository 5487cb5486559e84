select s.finished_at, s.removed from "pgstash".sweep s where s.name = 'sweeper' and s.finished_at > 0
