/**
 * `cache`: the templates that clusters of tests are copied from.
 */
import { flagOption } from '../options/options.ts'
import { counted, formatBytes } from '../report/format.ts'
import { cacheFolder, clearCache, readCache } from '../runtime/template-cache.ts'
import { command } from './command.ts'

export const cacheCommand = command({
  usage: 'cache',
  examples: ['cache', 'cache --clear'],
  summary: 'the data that clusters of tests are copied from: what is kept, and where',
  options: { clear: flagOption('--clear', 'remove all of it; the next test makes it anew') },
  run: async ({ options, narrate }) => {
    const folder = cacheFolder(process.env)
    if (options.clear) {
      const bytes = await clearCache(folder)
      narrate.say(`${formatBytes(bytes)} freed in ${folder}`)
      return { version: 1, folder, templates: [], freedBytes: bytes }
    }
    const templates = await readCache(folder)
    narrate.say(`${counted(templates.length, 'template')} in ${folder}`)
    if (templates.length > 0)
      narrate.table(
        ['template', 'PostgreSQL', 'nodes', 'spare copies', 'size', 'last used'],
        templates.map(({ key, postgresVersion, nodes, spares, bytes, usedAt }) => [
          ...[key, postgresVersion, nodes.length, spares, formatBytes(bytes)],
          usedAt.toISOString().slice(0, 16).replace('T', ' '),
        ]),
      )
    return { version: 1, folder, templates }
  },
})
