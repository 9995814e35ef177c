/**
 * The npm package's PostgreSQL, made usable: its symbolic links restored, and where the servers' user can run it.
 */
import { readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { LabError } from '../../errors.ts'
import type { Binaries } from '../binaries.ts'
import { lastLines, run } from '../command.ts'
import type { CommandResult } from '../runtime.ts'
import { copyReadable, exists, own, type Place } from './place.ts'

/**
 * The same binaries, once the servers' user can run them: where they are, else as a copy beside the clusters. It takes a copy
 * when node_modules is another user's or read-only, or when the servers' user cannot reach it (below /root, say).
 * @throws LabError NO_RUNTIME when not even the copy runs.
 */
export async function usableBinaries(place: Place, binaries: Binaries): Promise<Binaries> {
  if (binaries.source !== 'npm') return binaries
  const native = dirname(binaries.directory)
  if ((await restoreLinks(native)) && (await tryOut(place, binaries.directory)).exitCode === 0) return binaries
  const copy = join(dirname(place.root), `postgresql-${binaries.version}`)
  if (!(await exists(copy))) await makeCopy(place, native, copy)
  const { exitCode, stderr } = await tryOut(place, join(copy, 'bin'))
  if (exitCode === 0) return { ...binaries, directory: join(copy, 'bin') }
  throw new LabError('NO_RUNTIME', `PostgreSQL from the npm package does not run here: ${lastLines(stderr, 1)}`, {
    hint: 'Install PostgreSQL (Debian: apt-get install postgresql; macOS: brew install postgresql@17), or start Docker.',
  })
}

/**
 * npm packages hold no symbolic links; this one lists them, and leaves them to an install script, which package managers
 * do not run unasked. Without them a program does not find its libraries. Returns whether all are there.
 */
async function restoreLinks(native: string): Promise<boolean> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8')
  const links = JSON.parse(list) as { readonly source: string; readonly target: string }[]
  const restored = links.map(async ({ source, target }) => {
    const link = join(dirname(native), target)
    await symlink(relative(dirname(target), source), link).catch(() => undefined) // there already, or not ours to make
    return await exists(link)
  })
  return (await Promise.all(restored)).every(Boolean)
}

async function makeCopy(place: Place, native: string, copy: string): Promise<void> {
  const scratch = `${copy}.${process.pid}`
  const made = join(scratch, 'native')
  try {
    await copyReadable(place, native, made)
    await own(place, scratch)
    // A copy of read-only folders is read-only, and whoever wants to be rid of it could not remove it.
    await run(['chmod', '-R', 'u+w', scratch], { environment: process.env })
    await restoreLinks(made)
    await rename(made, copy).catch(() => undefined) // another command was faster
  } finally {
    await rm(scratch, { recursive: true, force: true })
  }
}

async function tryOut({ account }: Place, directory: string): Promise<CommandResult> {
  return await run([join(directory, 'postgres'), '--version'], { environment: {}, account, cwd: '/' }).catch(
    (error: unknown) => ({ exitCode: 1, stdout: '', stderr: String(error) }),
  )
}
