import { deadBuiltLinks } from './built-links'

const dead = deadBuiltLinks('docs/.vitepress/dist')
for (const link of dead) console.error(link)
process.exitCode = dead.length === 0 ? 0 : 1
