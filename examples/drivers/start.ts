/**
 * `pnpm run drivers …`, in a fresh clone, too: what is missing or out of date is built and installed first.
 */
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { buildLab, install, isOlder, run } from '../prepare.ts'

const HERE = import.meta.dirname
const program = (path: string): string[] => [process.execPath, join(HERE, 'node_modules', path)]

buildLab()
install('the drivers', HERE)
const schema = join(HERE, 'src/prisma/schema.prisma')
const isWithoutPrisma = isOlder(join(HERE, 'src/prisma/client/client.ts'), [schema]) && !generatePrisma()
if (isOlder(join(HERE, 'dist/main.js'), [join(HERE, 'src'), join(HERE, 'tsconfig.build.json')]))
  // Without Prisma's client its row says so.
  run('building the matrix', [...program('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
    cwd: HERE,
    mayFail: isWithoutPrisma,
  })
const { main } = (await import(pathToFileURL(join(HERE, 'dist/main.js')).href)) as {
  readonly main: (argv: readonly string[]) => Promise<number>
}
const exitCode = await main(process.argv.slice(2))
// Not left to the event loop: after a run of many trials a few of the relays' sockets were open still, and the process stayed.
process.stdout.write('', () => process.exit(exitCode))

function generatePrisma(): boolean {
  return run("generating Prisma's client", [...program('prisma/build/index.js'), 'generate', '--schema', schema], {
    cwd: HERE,
    mayFail: true,
    environment: {
      // It would be downloaded, from another host than the registry's, and a client is generated without it.
      PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
      PRISMA_HIDE_UPDATE_MESSAGE: '1',
      CHECKPOINT_DISABLE: '1',
    },
  })
}
