import { join } from 'node:path'
import { Application, Converter, ReflectionKind } from 'typedoc'
import { entryPoints } from './entry-points'

const root = process.cwd()
const entries = entryPoints(root)

const app = await Application.bootstrapWithPlugins({
  name: 'API',
  entryPoints: entries.map(({ source }) => source),
  tsconfig: join(root, 'tsconfig.json'),
  plugin: ['typedoc-plugin-markdown'],
  out: 'docs/reference/api',
  readme: 'none',
  // No address of the sources is known here.
  disableSources: true,
  excludePrivate: true,
  excludeProtected: true,
  excludeExternals: true,
  blockTags: ['@example', '@module', '@nextStep', '@param', '@returns', '@throws'],
  // A link to a name that is not there, a tag that is misspelt: the build fails.
  treatWarningsAsErrors: true,
  validation: { notExported: false, invalidLink: true, invalidPath: true, rewrittenLink: true },
  ...({
    entryFileName: 'index',
    hidePageHeader: true,
    hideBreadcrumbs: true,
    useCodeBlocks: true,
    indexFormat: 'table',
    parametersFormat: 'table',
    interfacePropertiesFormat: 'table',
    sanitizeComments: true,
  } as object),
})

/** By the names that an import has, not by those of files. */
app.converter.on(Converter.EVENT_CREATE_DECLARATION, (_, reflection) => {
  if (!reflection.kindOf(ReflectionKind.Module)) return
  const entry = entries.find(({ source }) => source.replace(/^src\/|\.ts$/g, '') === reflection.name)
  if (entry !== undefined) reflection.name = entry.name
})

const project = await app.convert()
if (project === undefined) process.exit(1)
app.validate(project)
await app.generateOutputs(project)
if (app.logger.hasErrors() || app.logger.hasWarnings()) process.exit(1)
