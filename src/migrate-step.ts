/** What to type, for next steps. A schema is a plain name, but for `$`. */
export function migrateStep(schema: string, flags = ''): string {
  const name = schema.includes('$') ? `'${schema}'` : schema
  return `pgstash migrate${schema === 'pgstash' ? '' : ` --schema ${name}`}${flags === '' ? '' : ` ${flags}`}`
}

/** What an app under row-level security needs of it, beside the tables. */
export function flagsOf(isolation: 'column' | 'rls'): string {
  return isolation === 'rls' ? '--isolation rls --app-role …' : ''
}
