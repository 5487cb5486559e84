import type pg from 'pg'

/** Whoever calls what was planted leaves a trace here, also where the transaction is rolled back. */
export const witness = 'witness.called'

/** The types of what our SQL compares, computes and passes, and their neighbours. */
const types = [
  ...['text', 'varchar', 'name', '"char"', 'int4', 'int8', 'numeric', 'float8', 'bool'],
  ...['timestamptz', 'timestamp', 'interval', 'oid', 'regclass', 'tid', 'text[]'],
]
const operators = ['=', '<>', '<', '<=', '>', '>=', '+', '-', '*', '/', '%', '||', '~']

/**
 * Plants overloads of pg_catalog's operators and functions, for each that pg_catalog does not have with just these types: what a call whose types are not exact
 * would rather take. Calling one leaves a trace, and fails.
 * @param client an ordinary role, which may create in `schema`
 * @param functions names of those in pg_catalog
 */
export async function plantOverloads(
  client: pg.ClientBase,
  schema: string,
  functions: readonly string[],
): Promise<void> {
  await client.query('begin; set local check_function_bodies = off; set local search_path = pg_catalog')
  await client.query(operatorsIn(schema))
  await client.query(functionsIn(schema, functions))
  await client.query('commit')
}

const body = `language plpgsql as $$ begin perform pg_catalog.nextval('${witness}'); raise exception 'hostile'; end $$`

function operatorsIn(schema: string): string {
  return `do $plant$
    declare l text; r text; o text;
    begin
      foreach l in array ${textArray(types)} loop
        foreach r in array ${textArray(types)} loop
          execute format('create function ${schema}.op(%s, %s) returns boolean %s', l, r, ${literal(body)});
          for o in
            select s.name from unnest(${textArray(operators)}) s (name)
            except select oprname from pg_operator where oprnamespace = 'pg_catalog'::regnamespace and oprleft = l::regtype and oprright = r::regtype
          loop
            execute format('create operator ${schema}.%s (function = ${schema}.op, leftarg = %s, rightarg = %s)', o, l, r);
          end loop;
        end loop;
      end loop;
    end $plant$`
}

/** Each signature of pg_catalog with one of its types exchanged; what is polymorphic there has a type here. */
function functionsIn(schema: string, functions: readonly string[]): string {
  return `do $plant$
    declare f record;
    begin
      for f in
        select distinct on (s.proname, s.arguments) s.* from (
          select p.proname, p.prokind, a.arguments,
            case when p.prorettype::regtype::text ~ '^any|record|internal|void|trigger|handler' then 'text' else p.prorettype::regtype::text end as result
          from pg_proc p
          cross join (select name::regtype::text as name from unnest(${textArray(types)}) t (name)) t
          cross join generate_series(1, p.pronargs) at
          cross join lateral (
            select string_agg(case
              when n = at then t.name
              when o::regtype::text like 'any%array' and t.name not like '%[]' then t.name || '[]'
              when o::regtype::text like 'any%' or o::regtype::text = '"any"' then t.name
              else o::regtype::text end, ', ' order by n) as arguments
            from unnest(p.proargtypes) with ordinality u (o, n)
          ) a
          where p.pronamespace = 'pg_catalog'::regnamespace and p.proname = any (${textArray(functions)}) and p.pronargs between 1 and 4
            and p.prokind in ('f', 'a') and a.arguments !~ 'internal|"any"'
        ) s
      loop
        if f.prokind = 'a' then
          execute format('create function ${schema}.step(text, %s) returns text %s', f.arguments, ${literal(body)});
          execute format('create aggregate ${schema}.%I (%s) (sfunc = ${schema}.step, stype = text)', f.proname, f.arguments);
          execute format('alter function ${schema}.step(text, %s) rename to %I', f.arguments, 'step_' || f.proname);
        else
          execute format('create function ${schema}.%I (%s) returns %s %s', f.proname, f.arguments, f.result, ${literal(body)});
        end if;
      end loop;
    end $plant$`
}

function textArray(texts: readonly string[]): string {
  return `array[${texts.map(literal).join(', ')}]::text[]`
}

function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
