/** Everything of a schema that the catalogue knows, one line a fact, in an order of its own: two schemas made by different ways can be compared. */
export async function describeSchema(sql: (text: string) => Promise<unknown[][]>, schema: string): Promise<string[]> {
  const facts = await Promise.all(questions.map((question) => sql(question.replaceAll('$schema', schema))))
  return facts
    .flat()
    .map((row) => row.join(' | ').replaceAll(schema, 'SCHEMA'))
    .sort()
}

/** Rights of everybody but the owner, whose own are listed as soon as anybody else gets one. */
const rightsOf = (acl: string, owner: string) =>
  `(select string_agg(distinct concat_ws(' ', case when a.grantee = 0 then 'public' else pg_get_userbyid(a.grantee) end, a.privilege_type, a.is_grantable), ', ')
    from aclexplode(${acl}) a where a.grantee <> ${owner})`

const inSchema = `= '$schema'::regnamespace`

const questions: readonly string[] = [
  `select 'schema', pg_get_userbyid(n.nspowner), ${rightsOf('n.nspacl', 'n.nspowner')} from pg_namespace n where n.nspname = '$schema'`,
  `select 'routine', p.oid::regprocedure, p.prokind, pg_get_userbyid(p.proowner), p.prosecdef, p.provolatile, p.proparallel, p.proisstrict, p.procost, p.prorows,
     pg_get_function_result(p.oid), (select string_agg(c, '; ' order by c) from unnest(p.proconfig) c),
     p.prosrc, pg_get_function_sqlbody(p.oid), p.proacl is null, ${rightsOf('p.proacl', 'p.proowner')}
   from pg_proc p where p.pronamespace ${inSchema}`,
  `select 'relation', c.relname, c.relkind, pg_get_userbyid(c.relowner), c.relpersistence, c.relrowsecurity, c.relforcerowsecurity,
     (select string_agg(o, '; ' order by o) from unnest(c.reloptions) o), ${rightsOf('c.relacl', 'c.relowner')}
   from pg_class c where c.relnamespace ${inSchema}`,
  `select 'column', c.relname, a.attnum, a.attname, format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation, a.attnotnull, a.attgenerated,
     a.attidentity, a.attstorage, a.attcompression, a.attisdropped, pg_get_expr(d.adbin, d.adrelid), ${rightsOf('a.attacl', 'c.relowner')}
   from pg_class c join pg_attribute a on a.attrelid = c.oid left join pg_attrdef d on d.adrelid = c.oid and d.adnum = a.attnum
   where c.relnamespace ${inSchema} and a.attnum > 0`,
  `select 'constraint', c.conrelid::regclass, c.conname, pg_get_constraintdef(c.oid) from pg_constraint c where c.connamespace ${inSchema} and c.contype <> 'n'`,
  `select 'index', i.indexrelid::regclass, pg_get_indexdef(i.indexrelid) from pg_index i join pg_class c on c.oid = i.indexrelid where c.relnamespace ${inSchema}`,
  `select 'policy', p.polrelid::regclass, p.polname, p.polpermissive, p.polcmd, (select string_agg(r::regrole::text, ', ') from unnest(p.polroles) r),
     pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid)
   from pg_policy p join pg_class c on c.oid = p.polrelid where c.relnamespace ${inSchema}`,
  `select 'view', c.relname, pg_get_viewdef(c.oid) from pg_class c where c.relnamespace ${inSchema} and c.relkind = 'v'`,
  `select 'trigger', t.tgrelid::regclass, pg_get_triggerdef(t.oid) from pg_trigger t join pg_class c on c.oid = t.tgrelid where c.relnamespace ${inSchema}`,
  `select 'sequence', s.sequencename, s.data_type, s.increment_by, s.min_value, s.max_value, s.cycle, s.cache_size from pg_sequences s where s.schemaname = '$schema'`,
  `select 'type', t.typname, t.typtype from pg_type t where t.typnamespace ${inSchema}`,
  `select 'migration', m.id, m.name from $schema.migration m`,
]
