-- Whether there is anything that a sweep would remove. Reads the tables: for small ones.
select exists (select from "pgstash".session s where s.expires_at + s.kept_ms <= "pgstash".now_ms())
  or exists (select from "pgstash".counter c where c.expires_at <= "pgstash".now_ms())
  or exists (
    select from "pgstash".entry e
    left join "pgstash".namespace t on t.tenant = e.tenant and t.namespace = ''
    left join "pgstash".namespace n on n.tenant = e.tenant and n.namespace = e.namespace
    where e.expires_at <= "pgstash".now_ms() or e.generation < coalesce(t.generation, 0) + coalesce(n.generation, 0)
  )
