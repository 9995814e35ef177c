/**
 * What outlives the process that made a temporary cluster, so that the cluster does not: a note beside its files, and a
 * shell that waits for the process to end.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { open, readdir, rename, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { codeOf } from '../errors.ts'
import type { Variables } from '../topology/compose/interpolation.ts'
import type { Runtime } from './runtime.ts'
import { leaveStateFolder, makeStateFolder, unusable } from './state-folder.ts'

/** How to find the cluster again. */
export interface TemporaryNote {
  readonly project: string
  readonly runtime: Runtime['name']
  /** The compose file. */
  readonly file: string
  /** What makes it this cluster, and not the one of the environment. */
  readonly environment: Variables
}

/**
 * LAB_STATE_DIR, else a folder of the user's that nobody has to tidy up. That of macOS has a name so long that a socket in it
 * has none (see local/place.ts).
 */
export function temporaryStateFolder(variables: Variables): string {
  const usual = process.platform === 'darwin' ? '/tmp' : tmpdir()
  return variables['LAB_STATE_DIR'] || join(usual, `pg-failover-lab-${process.getuid?.() ?? 0}`)
}

/** No project's name has a dot. */
const SUFFIX = '.temporary.json'

/** Writes the note; it is there before anything else of the cluster. Removed when it is disposed of. @throws LabError STATE_INVALID */
export async function noteTemporary(folder: string, note: TemporaryNote): Promise<AsyncDisposable> {
  const file = join(folder, `${note.project}${SUFFIX}`)
  await makeStateFolder(folder)
  try {
    // Whole or not at all: whoever sweeps may read it at any moment, and this process may end at any.
    await writeFile(`${file}.new`, JSON.stringify(note), { mode: 0o600 })
    await rename(`${file}.new`, file)
  } catch (error) {
    throw unusable(folder, error)
  }
  return { [Symbol.asyncDispose]: () => forgetTemporary(folder, note) }
}

/** The notes of every cluster of this user whose owner has not removed it, dead or alive. */
export async function readTemporaryNotes(folder: string): Promise<readonly TemporaryNote[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
  const notes = await Promise.all(names.filter(name => name.endsWith(SUFFIX)).map(name => readNote(join(folder, name))))
  return notes.filter(note => note !== undefined)
}

/** Undefined if it has gone meanwhile, or is not this user's: a note names programs to run, and the folder may be open to all. */
async function readNote(file: string): Promise<TemporaryNote | undefined> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch((error: unknown) => {
    if (['ENOENT', 'EACCES', 'ELOOP'].includes(codeOf(error) ?? '')) return undefined
    throw error
  })
  if (handle === undefined) return undefined
  try {
    const { uid } = await handle.stat()
    return uid === process.getuid?.() ? (JSON.parse(await handle.readFile('utf8')) as TemporaryNote) : undefined
  } finally {
    await handle.close()
  }
}

/**
 * Writes a compose file that only one cluster has; it is there before the note, and tells whose it is by its name. Removed when
 * it is disposed of. @throws LabError STATE_INVALID
 */
export async function keepCompose(
  folder: string,
  { project, text }: { readonly project: string; readonly text: string },
): Promise<AsyncDisposable & { readonly file: string }> {
  const file = join(folder, `${project}.${process.pid}${COMPOSE_SUFFIX}`)
  await makeStateFolder(folder)
  await writeFile(file, text, { mode: 0o600 }).catch((error: unknown) => {
    throw unusable(folder, error)
  })
  return { file, [Symbol.asyncDispose]: () => removeCompose(folder, file) }
}

const COMPOSE_SUFFIX = '.compose.yml'

async function removeCompose(folder: string, file: string): Promise<void> {
  await rm(file, { force: true })
  await leaveStateFolder(folder)
}

/** Removes those of clusters that were never begun: there is no note, and their process is dead. */
export async function removeLeftCompose(folder: string): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const noted = new Set((await readTemporaryNotes(folder)).map(({ project }) => project))
  for (const name of names.filter(each => each.endsWith(COMPOSE_SUFFIX))) {
    const [project = '', pid = ''] = name.split('.')
    if (!noted.has(project) && !isAlive(Number(pid))) await removeCompose(folder, join(folder, name))
  }
}

/** https://nodejs.org/api/process.html#processkillpid-signal */
export function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return codeOf(error) === 'EPERM'
  }
}

/** Forgets a cluster that is gone. */
export async function forgetTemporary(folder: string, { project }: TemporaryNote): Promise<void> {
  const names = await readdir(folder).catch(() => [])
  const own = names.filter(name => name.startsWith(`${project}.`) && name.endsWith(COMPOSE_SUFFIX))
  for (const name of [...own, `${project}${SUFFIX}`]) await rm(join(folder, name), { force: true })
  await leaveStateFolder(folder)
}

/**
 * Runs a program when this process ends without disposing of this, whatever ends it: the shell reads from a pipe of which
 * only this process has the other end. In a session of its own, it is out of reach of what is sent to this one's group.
 */
export function whenThisProcessDies(program: readonly [string, ...string[]], environment: Variables): Disposable {
  const child = spawn('sh', ['-c', 'read -r _ || exec "$@"', 'sh', ...program], {
    cwd: '/',
    env: environment,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  })
  child.once('error', () => undefined)
  child.unref()
  child.stdin.on('error', () => undefined)
  return { [Symbol.dispose]: () => void child.stdin.end('done\n') }
}
