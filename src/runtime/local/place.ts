/**
 * Where the local runtime keeps a cluster on this machine, and as whom its servers run.
 */
import { constants } from 'node:fs'
import { cp, lchown, mkdir, open, readFile, realpath, rm, stat, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf, LabError } from '../../errors.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import { run } from '../command.ts'
import { lookAtFolder, makeStateFolder, mark, stateFolder } from '../state-folder.ts'

/** The user that owns the data and runs the servers. Undefined stands for the caller. */
export interface Account {
  readonly name: string
  readonly uid: number
  readonly gid: number
}

/** One cluster's folder: `<root>/<project>`. */
export interface Place {
  readonly root: string
  readonly sockets: string
  readonly account: Account | undefined
}

/** What stands for the node's volume, as in docker-compose.yml; PGDATA is a folder inside it. */
export const volumeOf = (place: Place, node: NodeSpec): string => join(place.root, node.data.volume)
export const dataOf = (place: Place, node: NodeSpec): string => join(volumeOf(place, node), node.data.directory)
export const logOf = (place: Place, node: NodeSpec): string => join(place.root, `${node.name}.log`)
/** Holds the process id of the node's entrypoint, which becomes the postmaster by exec. */
export const pidFileOf = (place: Place, node: NodeSpec): string => join(place.root, `${node.name}.pid`)
/** A folder that the compose file binds into the node: a copy that the servers' user can read. */
export const bindOf = (place: Place, target: string): string =>
  join(place.root, 'binds', target.slice(1).replaceAll('/', '_'))

/** Of a Unix socket, in bytes: sun_path has 108 on Linux and 104 elsewhere, with the end of the text. */
const LONGEST_SOCKET_PATH = process.platform === 'linux' ? 107 : 103

/**
 * PostgreSQL refuses to run as root, so root's servers run as another user, and below a folder that user can reach.
 * @throws LabError USAGE when the folder's path is too long for a Unix socket, or what is there is not the lab's; STATE_INVALID
 */
export async function findPlace(topology: Topology): Promise<Place> {
  const { variables, project } = topology
  const account = process.getuid?.() === 0 ? await unprivilegedAccount(variables['LAB_RUN_AS']) : undefined
  const root = join(stateFolder(variables), project)
  const sockets = join(root, 'sockets')
  if (Buffer.byteLength(join(sockets, '.s.PGSQL.65535')) > LONGEST_SOCKET_PATH) {
    throw new LabError('USAGE', `${sockets} is too long a path for PostgreSQL's Unix sockets`, {
      hint: 'Choose a shorter folder with LAB_STATE_DIR, or a shorter COMPOSE_PROJECT_NAME.',
    })
  }
  const found = await lookAtFolder(root, account === undefined ? [] : [account.uid])
  if (found instanceof LabError) throw found
  return { root, sockets, account }
}

/** What tells the cluster from every other on this machine, also by another way to its folder. */
export async function identityOf({ root }: Place): Promise<string> {
  const folder = await realpath(dirname(root)).catch(() => resolve(dirname(root))) // not there before the first up
  return `local ${join(folder, basename(root))}`
}

async function unprivilegedAccount(named: string | undefined): Promise<Account> {
  const candidates = named === undefined || named === '' ? ['postgres', 'node', 'nobody'] : [named]
  for (const name of candidates) {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)])
    if (uid !== undefined && gid !== undefined && uid !== 0) return { name, uid, gid }
  }
  throw new LabError(
    'NO_RUNTIME',
    `PostgreSQL does not run as root, and there is no user ${candidates.join(' or ')} to run it as`,
    {
      hint: 'Name an unprivileged user with LAB_RUN_AS.',
    },
  )
}

/** /etc/passwd needs no program; `id` knows also those of a directory. https://man7.org/linux/man-pages/man5/passwd.5.html */
async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n')
  const fields = lines.map(line => line.split(':')).find(([user]) => user === name)
  if (fields !== undefined) return Number(fields[flag === '-u' ? 2 : 3])
  const { exitCode, stdout } = await run(['id', flag, name], { environment: process.env })
  return exitCode === 0 ? Number(stdout) : undefined
}

/** Makes the folders, and fresh copies of what the compose file binds in: the servers' user may not be able to read the originals. */
export async function preparePlace(place: Place, topology: Topology): Promise<void> {
  await makeStateFolder(dirname(place.root))
  await makeFolder(place, place.root)
  await mark(place.root)
  await requireReachable(place)
  await makeFolder(place, place.sockets)
  for (const node of topology.nodes) await prepareVolume(place, node)
  const binds = Object.assign({}, ...topology.nodes.map(({ binds }) => binds)) as Record<string, string>
  for (const [target, source] of Object.entries(binds)) {
    await rm(bindOf(place, target), { recursive: true, force: true })
    await copyReadable(place, source, bindOf(place, target))
  }
}

/** Root's servers run as another user, who may not pass a folder on the way. */
async function requireReachable({ root, account }: Place): Promise<void> {
  if (account === undefined) return
  const { exitCode } = await run(['/bin/sh', '-c', 'test -w "$0"', root], {
    environment: process.env,
    account,
    cwd: '/',
  })
  if (exitCode === 0) return
  throw new LabError('STATE_INVALID', `${account.name}, who runs the servers, cannot reach ${root}`, {
    hint: 'Open the folders above it to that user (chmod o+x), or name another place with LAB_STATE_DIR.',
  })
}

/** Makes the folder that stands for the node's volume. */
export const prepareVolume = (place: Place, node: NodeSpec): Promise<void> => makeFolder(place, volumeOf(place, node))

async function makeFolder({ account }: Place, path: string): Promise<void> {
  await mkdir(path, { recursive: true })
  await using folder = await openOwn(path, constants.O_RDONLY | constants.O_DIRECTORY)
  await folder.chmod(0o700)
  if (account !== undefined) await folder.chown(account.uid, account.gid)
}

/**
 * Opens what is in the cluster's folder. The servers' user could have put a symbolic link there, which root must not follow.
 * @throws LabError STATE_INVALID when it is one
 */
export async function openOwn(path: string, flags: number, mode?: number): Promise<FileHandle> {
  return await open(path, flags | constants.O_NOFOLLOW, mode).catch((error: unknown) => {
    if (!['ELOOP', 'ENOTDIR'].includes(codeOf(error) ?? '')) throw error
    throw new LabError('STATE_INVALID', `${path} is a symbolic link, which the lab does not make and does not follow`, {
      hint: 'Look where it leads, and remove it.',
      cause: error,
    })
  })
}

/** Writes a file that is the servers' user's. */
export async function writeOwned(
  { account }: Place,
  path: string,
  { text, mode = 0o644 }: { readonly text: string; readonly mode?: number },
): Promise<void> {
  await using file = await openOwn(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC, mode)
  if (account !== undefined) await file.chown(account.uid, account.gid)
  await file.writeFile(text)
}

/** Copies a file or folder so that the servers' user can read it. */
export async function copyReadable(place: Place, source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true, verbatimSymlinks: true })
  await ownAll(place, target)
}

export async function own({ account }: Place, path: string): Promise<void> {
  if (account !== undefined) await lchown(path, account.uid, account.gid)
}

export async function ownAll({ account }: Place, path: string): Promise<void> {
  if (account === undefined) return
  await run(['chown', '-hR', `${account.uid}:${account.gid}`, path], { environment: process.env })
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
