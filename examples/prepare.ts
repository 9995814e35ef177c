/**
 * What `pnpm run drivers` and `pnpm run app` do first, in a fresh clone, too: what is missing or out of date is built and
 * installed. All that is said of it goes to stderr; stdout is for results.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '..')

/** The lab's package, which the examples have by a link. */
export function buildLab(): void {
  const sources = ['src', 'demos', 'bench', 'package.json', 'tsconfig.json', 'tsconfig.build.json']
  const paths = sources.map(path => join(ROOT, path))
  if (!isOlder(join(ROOT, 'dist/src/router/index.js'), paths)) return
  run(
    'building the lab',
    [process.execPath, join(ROOT, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'],
    {
      cwd: ROOT,
    },
  )
}

/** What an example's lockfile says. */
export function install(what: string, folder: string): void {
  const manifests = ['pnpm-lock.yaml', 'package.json'].map(name => join(folder, name))
  if (!isOlder(join(folder, 'node_modules/.modules.yaml'), manifests)) return
  // The lab's own .npmrc is strict, and is inherited; a package that asks for Node 22 works on 20, or is used by nothing here.
  const argv = [...pnpm(), 'install', '--frozen-lockfile', '--config.engine-strict=false']
  run(`installing ${what}`, argv, { cwd: folder })
}

export interface RunOptions {
  readonly cwd: string
  readonly environment?: Readonly<Record<string, string>> | undefined
  /** Else a failure ends this process. @default false */
  readonly mayFail?: boolean | undefined
}

/** Whether it went well; what it has printed is shown if it has not. */
export function run(what: string, argv: readonly string[], options: RunOptions): boolean {
  process.stderr.write(`${what} …\n`)
  const { cwd, environment = {}, mayFail = false } = options
  const [program = '', ...rest] = argv
  const env = { ...process.env, ...environment }
  const { status, stdout, stderr, error } = spawnSync(program, rest, { cwd, env, encoding: 'utf8' })
  if (status === 0) return true
  process.stderr.write(`${error?.message ?? ''}${stdout}${stderr}${what} failed\n`)
  if (!mayFail) process.exit(status ?? 1)
  return false
}

/** A file that is not there is older than anything. */
export function isOlder(file: string, sources: readonly string[]): boolean {
  return !existsSync(file) || Math.max(...sources.map(newest)) > statSync(file).mtimeMs
}

function newest(path: string): number {
  if (!statSync(path).isDirectory()) return statSync(path).mtimeMs
  return Math.max(0, ...readdirSync(path).map(name => newest(join(path, name))))
}

/** The one that runs this, whatever it is called; pnpm by npx where it is another package manager. */
function pnpm(): string[] {
  const { npm_execpath: path = '' } = process.env
  if (!path.includes('pnpm')) return ['npx', '--yes', 'pnpm@10']
  return /\.[cm]?js$/.test(path) ? [process.execPath, path] : [path]
}
