/**
 * `pnpm run drivers …`, in a fresh clone, too: what is missing or out of date is built and installed first. What is said of
 * that goes to stderr; stdout is for the result of --json.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

const HERE = import.meta.dirname
const ROOT = join(HERE, '..', '..')

const labSources = ['src', 'demos', 'bench', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
if (
  isOlder(
    join(ROOT, 'dist/src/index.js'),
    labSources.map(path => join(ROOT, path)),
  )
) {
  run(
    'building the lab',
    [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
    ROOT,
  )
}
// The lab's own .npmrc is strict, and is inherited; a tool that Prisma's command line brings, and nothing here uses, wants Node 22.
if (isOlder(join(HERE, 'node_modules/.modules.yaml'), [join(HERE, 'pnpm-lock.yaml'), join(HERE, 'package.json')])) {
  run('installing the drivers', [...pnpm(), 'install', '--frozen-lockfile', '--config.engine-strict=false'], HERE)
}
const schema = join(HERE, 'src/prisma/schema.prisma')
const isWithoutPrisma =
  isOlder(join(HERE, 'src/prisma/client/client.ts'), [schema]) &&
  !run("generating Prisma's client", [...bin('prisma/build/index.js'), 'generate', '--schema', schema], HERE, {
    // It would be downloaded, from another host than the registry's, and a client is generated without it.
    PRISMA_SCHEMA_ENGINE_BINARY: process.execPath,
    PRISMA_HIDE_UPDATE_MESSAGE: '1',
    CHECKPOINT_DISABLE: '1',
    mayFail: '1',
  })
if (isOlder(join(HERE, 'dist/main.js'), [join(HERE, 'src'), join(HERE, 'tsconfig.build.json')])) {
  const mayFail = isWithoutPrisma ? { mayFail: '1' } : {} // its row says so then
  run('building the matrix', [...bin('typescript/bin/tsc'), '-p', 'tsconfig.build.json'], HERE, mayFail)
}
const { main } = (await import(pathToFileURL(join(HERE, 'dist/main.js')).href)) as {
  readonly main: (argv: readonly string[]) => Promise<number>
}
process.exitCode = await main(process.argv.slice(2))

/** A file that is not there is older than anything. */
function isOlder(file: string, sources: readonly string[]): boolean {
  return !existsSync(file) || newest(sources) > statSync(file).mtimeMs
}

function newest(paths: readonly string[]): number {
  const times = paths.map(path => {
    if (!statSync(path).isDirectory()) return statSync(path).mtimeMs
    return newest(readdirSync(path).map(name => join(path, name)))
  })
  return Math.max(0, ...times)
}

/** The one that runs this, whatever it is called; pnpm by npx where it is another package manager. */
function pnpm(): string[] {
  const { npm_execpath: path = '' } = process.env
  if (!path.includes('pnpm')) return ['npx', '--yes', 'pnpm@10']
  return /\.[cm]?js$/.test(path) ? [process.execPath, path] : [path]
}

function bin(path: string): string[] {
  return [process.execPath, join(HERE, 'node_modules', path)]
}

function run(
  what: string,
  argv: readonly string[],
  cwd: string,
  environment: Readonly<Record<string, string>> = {},
): boolean {
  process.stderr.write(`${what} …\n`)
  const [program = '', ...rest] = argv
  const env = { ...process.env, ...environment }
  const { status, stdout, stderr, error } = spawnSync(program, rest, { cwd, env, encoding: 'utf8' })
  if (status === 0) return true
  process.stderr.write(`${error?.message ?? ''}${stdout}${stderr}${what} failed\n`)
  if (environment['mayFail'] === undefined) process.exit(status ?? 1)
  return false
}
