/**
 * Where the lab keeps what must outlive a command; and which folders are its own. Nothing is written to, or removed from, a
 * folder without the marker, and no symbolic link is followed there: as root that would make somebody else's files a server's.
 */
import { constants } from 'node:fs'
import { lstat, mkdir, open, readdir, rm, rmdir, stat } from 'node:fs/promises'
import { homedir } from 'node:os'
import { isAbsolute, join, normalize, resolve } from 'node:path'
import { codeOf, LabError, messageOf } from '../errors.ts'
import type { Variables } from '../topology/compose/interpolation.ts'

/**
 * LAB_STATE_DIR, else root's and everybody else's usual place. https://specifications.freedesktop.org/basedir-spec/latest/
 * @throws LabError USAGE for a path that could be more than one, or that PostgreSQL cannot be told
 */
export function stateFolder(variables: Variables): string {
  const home = process.getuid?.() === 0 ? '/var/lib' : stateHome(variables)
  return requireUsable(variables['LAB_STATE_DIR'] || join(home, 'pg-failover-lab'))
}

const stateHome = (variables: Variables): string =>
  variables['XDG_STATE_HOME'] || join(variables['HOME'] || homedir(), '.local', 'state')

function requireUsable(folder: string): string {
  if (!isAbsolute(folder)) {
    const meant = folder.startsWith('~/') ? join(homedir(), folder.slice(2)) : resolve(folder)
    throw new LabError('USAGE', `LAB_STATE_DIR is "${folder}", which is another folder from elsewhere`, {
      hint: `Name it from the root: LAB_STATE_DIR=${meant}`,
    })
  }
  // https://www.postgresql.org/docs/current/runtime-config-connection.html#GUC-UNIX-SOCKET-DIRECTORIES
  const [wrong] = /[,"\p{Cc}]/u.exec(folder) ?? []
  if (wrong === undefined) return normalize(folder)
  throw new LabError(
    'USAGE',
    `LAB_STATE_DIR has ${JSON.stringify(wrong)} in it, which unix_socket_directories cannot`,
    {
      hint: 'Choose a folder without commas, double quotes and control characters.',
    },
  )
}

/** In a folder that the lab has made: a cluster's, or the one that holds them. */
export const FOLDER_MARKER = '.pg-failover-lab'

/** Makes the folder that holds the clusters, where it is missing. @throws LabError STATE_INVALID */
export async function makeStateFolder(folder: string): Promise<void> {
  try {
    // Whether others may look into it is nothing to the lab: each cluster's folder is closed.
    if ((await mkdir(folder, { recursive: true })) !== undefined) await mark(folder)
  } catch (error) {
    throw unusable(folder, error)
  }
  const { uid, mode } = await stat(folder)
  const isOpen = (mode & OTHERS_WRITE) !== 0 && (mode & STICKY) === 0
  if (!isOpen && (uid === 0 || uid === process.getuid?.())) return
  throw new LabError('STATE_INVALID', `${folder} ${isOpen ? 'can be changed by everybody' : "is another user's"}`, {
    hint: 'Name a folder of your own with LAB_STATE_DIR.',
  })
}

const OTHERS_WRITE = 0o022
const STICKY = 0o1000

/** Removes the folder that holds the clusters, if the lab has made it and nothing is left in it. */
export async function leaveStateFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  if (names.length !== 1 || names[0] !== FOLDER_MARKER) return
  await rm(join(folder, FOLDER_MARKER), { force: true })
  await rmdir(folder).catch(() => undefined) // another command has put something into it
}

/**
 * What stands at this path: a folder of the lab's (or an empty one), nothing, or something else, and what that is.
 * @param owners who may have made it, beside root and the caller
 */
export async function lookAtFolder(folder: string, owners: readonly number[]): Promise<'ours' | 'none' | LabError> {
  const hint = 'Choose another COMPOSE_PROJECT_NAME, or another place with LAB_STATE_DIR. It is left as it is.'
  try {
    const found = await lstat(folder)
    if (!found.isDirectory()) return new LabError('USAGE', `${folder} is no folder of the lab's`, { hint })
    if (![0, process.getuid?.(), ...owners].includes(found.uid))
      return new LabError('USAGE', `${folder} belongs to another user`, { hint })
    const names = await readdir(folder)
    if (names.length === 0 || names.includes(FOLDER_MARKER)) return 'ours'
    return new LabError('USAGE', `${folder} is there, and was not made by the lab: it has no file ${FOLDER_MARKER}`, {
      hint,
    })
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return 'none'
    return unusable(folder, error)
  }
}

/** Says of a folder that the lab has made it. */
export async function mark(folder: string): Promise<void> {
  await using file = await open(join(folder, FOLDER_MARKER), NEW_FILE, 0o644)
  await file.writeFile('Made by pg-failover-lab. What is beside this file is removed with the cluster.\n')
}

/** Removes a folder that the lab has made. The marker goes last: who looks meanwhile still sees whose it is. */
export async function removeFolder(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  for (const name of names) if (name !== FOLDER_MARKER) await rm(join(folder, name), { recursive: true, force: true })
  await rm(folder, { recursive: true, force: true })
}

/** Never through a symbolic link. */
const NEW_FILE = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NOFOLLOW

/** What became of a write there. */
export const unusable = (folder: string, error: unknown): LabError =>
  new LabError('STATE_INVALID', `cannot write into ${folder}: ${codeOf(error) ?? messageOf(error)}`, {
    hint: 'Name a folder of your own with LAB_STATE_DIR.',
    cause: error,
  })
