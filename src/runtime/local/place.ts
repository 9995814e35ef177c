/**
 * Where the local runtime keeps a cluster on this machine, and as whom its servers run.
 */
import { chmod, chown, cp, mkdir, realpath, rm, stat } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { LabError } from '../../errors.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'
import { run } from '../command.ts'
import { stateFolder } from '../state-folder.ts'

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

/** A Unix socket's path may have 107 bytes: https://www.postgresql.org/docs/current/runtime-config-connection.html */
const LONGEST_SOCKET_PATH = 107

/**
 * PostgreSQL refuses to run as root, so root's servers run as another user, and below a folder that user can reach.
 * @throws LabError USAGE when the folder's path is too long for a Unix socket.
 */
export async function findPlace(topology: Topology): Promise<Place> {
  const { variables, project } = topology
  const account = process.getuid?.() === 0 ? await unprivilegedAccount(variables['LAB_RUN_AS']) : undefined
  const root = join(stateFolder(variables), project)
  const sockets = join(root, 'sockets')
  if (join(sockets, '.s.PGSQL.65535').length > LONGEST_SOCKET_PATH) {
    throw new LabError('USAGE', `${sockets} is too long a path for PostgreSQL's Unix sockets`, {
      hint: 'Choose a shorter folder with LAB_STATE_DIR, or a shorter COMPOSE_PROJECT_NAME.',
    })
  }
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

async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  const { exitCode, stdout } = await run(['id', flag, name], { environment: process.env })
  return exitCode === 0 ? Number(stdout) : undefined
}

/** Makes the folders, and fresh copies of what the compose file binds in: the servers' user may not be able to read the originals. */
export async function preparePlace(place: Place, topology: Topology): Promise<void> {
  for (const folder of [place.root, place.sockets]) await makeFolder(place, folder)
  for (const node of topology.nodes) await prepareVolume(place, node)
  const binds = Object.assign({}, ...topology.nodes.map(({ binds }) => binds)) as Record<string, string>
  for (const [target, source] of Object.entries(binds)) {
    await rm(bindOf(place, target), { recursive: true, force: true })
    await copyReadable(place, source, bindOf(place, target))
  }
}

/** Makes the folder that stands for the node's volume. */
export const prepareVolume = (place: Place, node: NodeSpec): Promise<void> => makeFolder(place, volumeOf(place, node))

async function makeFolder(place: Place, folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  await chmod(folder, 0o700)
  await own(place, folder)
}

/** Copies a file or folder so that the servers' user can read it. */
export async function copyReadable(place: Place, source: string, target: string): Promise<void> {
  await cp(source, target, { recursive: true, verbatimSymlinks: true })
  await ownAll(place, target)
}

export async function own({ account }: Place, path: string): Promise<void> {
  if (account !== undefined) await chown(path, account.uid, account.gid)
}

export async function ownAll({ account }: Place, path: string): Promise<void> {
  if (account === undefined) return
  await run(['chown', '-R', `${account.uid}:${account.gid}`, path], { environment: process.env })
}

export const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
