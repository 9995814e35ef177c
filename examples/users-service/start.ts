/**
 * `pnpm run app`, in a fresh clone, too: what is missing or out of date is built and installed first. See lab.ts.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const HERE = import.meta.dirname
const ROOT = join(HERE, '..', '..')

const isBuilt = isNewer(join(ROOT, 'dist/src/router/index.js'), [join(ROOT, 'src'), join(ROOT, 'package.json')])
if (!isBuilt)
  run('building the lab', [join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], ROOT)
const isInstalled = isNewer(join(HERE, 'node_modules/.modules.yaml'), [join(HERE, 'pnpm-lock.yaml')])
if (!isInstalled) install()
await import('./lab.ts')

/** By pnpm as it runs this; by npx where another package manager does. */
function install(): void {
  const { npm_execpath: path = '' } = process.env
  const isPnpm = path.includes('pnpm')
  if (isPnpm && /\.[cm]?js$/.test(path))
    return run('installing the service', [path, 'install', '--frozen-lockfile'], HERE)
  const [program, ...before] = isPnpm ? [path] : ['npx', '--yes', 'pnpm@10']
  run('installing the service', [...before, 'install', '--frozen-lockfile'], HERE, program)
}

/** @throws the exit code, as the process's own */
function run(what: string, args: readonly string[], cwd: string, program = process.execPath): void {
  process.stderr.write(`${what} …\n`)
  // To stderr, all of it.
  const { status } = spawnSync(program, args, { cwd, stdio: ['ignore', 2, 2] })
  if (status !== 0) process.exit(status ?? 1)
}

function isNewer(file: string, sources: readonly string[]): boolean {
  return existsSync(file) && statSync(file).mtimeMs >= Math.max(...sources.map(newest))
}

function newest(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).mtimeMs
  return Math.max(0, ...readdirSync(path).map(name => newest(join(path, name))))
}
