/**
 * The npm package's PostgreSQL, made usable: its symbolic links restored, and where the servers' user can read it.
 */
import { readFile, rename, rm, symlink } from 'node:fs/promises'
import { dirname, join, relative } from 'node:path'
import { codeOf } from '../../errors.ts'
import type { Binaries } from '../binaries.ts'
import { run } from '../command.ts'
import { copyReadable, exists, own, type Place } from './place.ts'

/**
 * The same binaries, copied out of node_modules if the servers' user cannot run them there (below /root, say).
 */
export async function reachableBinaries(place: Place, binaries: Binaries): Promise<Binaries> {
  if (binaries.source !== 'npm') return binaries
  const native = dirname(binaries.directory)
  await restoreLinks(native).catch(() => undefined) // a read-only node_modules: then the post-install script has run
  if (place.account === undefined || (await canRun(binaries.directory, place))) return binaries
  const copy = join(dirname(place.root), `postgresql-${binaries.version}`)
  if (!(await exists(copy))) {
    const scratch = `${copy}.${process.pid}`
    await copyReadable(place, native, scratch)
    await own(place, scratch)
    await rename(scratch, copy).catch(() => rm(scratch, { recursive: true, force: true })) // another command was faster
  }
  return { ...binaries, directory: join(copy, 'bin') }
}

/** npm packages hold no symbolic links; this one lists them, and restores them in a script that pnpm runs only if allowed. */
async function restoreLinks(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8')
  for (const { source, target } of JSON.parse(list) as { source: string; target: string }[]) {
    await symlink(relative(dirname(target), source), join(dirname(native), target)).catch((error: unknown) => {
      if (codeOf(error) !== 'EEXIST') throw error
    })
  }
}

async function canRun(directory: string, { account }: Place): Promise<boolean> {
  const result = await run([join(directory, 'postgres'), '--version'], { environment: {}, account, cwd: '/' }).catch(
    () => undefined,
  )
  return result?.exitCode === 0
}
