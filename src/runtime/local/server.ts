/**
 * One PostgreSQL server as a process of this machine: starting, finding and ending it.
 */
import { spawn } from 'node:child_process'
import { constants } from 'node:fs'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { LAST_LOG_LINES, lastWords } from '../../postgres/last-words.ts'
import { LabError } from '../../errors.ts'
import { withHosts } from '../../postgres/conninfo.ts'
import type { NodeSpec } from '../../topology/topology.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'
import type { Binaries } from '../binaries.ts'
import { lastLines } from '../command.ts'
import type { Endpoint, NodeState } from '../runtime.ts'
import { bindOf, dataOf, logOf, openOwn, pidFileOf, volumeOf, type Account, type Place } from './place.ts'
import { commandLine, processState, processTree } from './processes.ts'
import { releaseSharedMemory } from './shared-memory.ts'

/** What every server of the cluster shares. */
export interface Host {
  readonly place: Place
  readonly binaries: Binaries
  /** Those of now: some may be added, and removed. */
  nodes(): readonly NodeSpec[]
  /** Where a node's peers reach it. */
  peerEndpoint(node: string): Endpoint
}

/** The environment of everything that runs for a node: the compose file's, with this machine's paths and addresses. */
export function nodeEnvironment(host: Host, node: NodeSpec): Record<string, string> {
  const { place, binaries } = host
  const peers = host.nodes().map(({ name }) => host.peerEndpoint(name))
  return {
    ...node.environment,
    PATH: `${binaries.directory}:${process.env['PATH'] ?? ''}`,
    LC_ALL: 'C',
    HOME: place.root,
    PGDATA: dataOf(place, node),
    PGPASSFILE: join(volumeOf(place, node), '.pgpass'),
    PRIMARY_CONNINFO: withHosts(node.environment['PRIMARY_CONNINFO'] ?? '', peers),
    SCRIPTS: bindOf(place, '/replica-entrypoint'),
    // Which node may start as the primary is settled before it is started, from everybody's data: see start-role.ts.
    ASK_PEERS: 'no',
    IMAGE_ENTRYPOINT: '',
  }
}

/** How a program of a node runs. */
export const asServer = (
  host: Host,
  node: NodeSpec,
): { environment: Record<string, string>; account: Account | undefined; cwd: string } => ({
  environment: nodeEnvironment(host, node),
  account: host.place.account,
  cwd: host.place.root,
})

/** `postgres` with the compose file's settings; the later of two equal settings wins. */
export function postgresCommand(
  { place, binaries }: Host,
  node: NodeSpec,
  more: readonly string[],
): [string, ...string[]] {
  return [
    join(binaries.directory, 'postgres'),
    '-D',
    dataOf(place, node),
    // In /dev/shm they would outlive a server that is killed, and its directory.
    '--dynamic_shared_memory_type=mmap',
    ...node.settings,
    `--port=${node.client.port}`,
    `--unix_socket_directories=${place.sockets}`,
    ...more,
  ]
}

/** Starts a node through replica-entrypoint/, in a session of its own so that it outlives this process. */
export async function spawnServer(host: Host, node: NodeSpec): Promise<void> {
  const entrypoint = join(bindOf(host.place, '/replica-entrypoint'), 'entrypoint.sh')
  const command = postgresCommand(host, node, [`--listen_addresses=${node.client.host}`])
  await spawnDetached(host, node, ['bash', entrypoint, ...command])
}

/**
 * A crashed server leaves lock files with its process id. PostgreSQL deals with that, unless the id is taken: by the dead
 * process itself because its parent has not collected it yet, or by another one since. Then the new server would refuse to start.
 */
async function removeLocksOfTheDead(place: Place, node: NodeSpec): Promise<void> {
  await releaseSharedMemory(dataOf(place, node))
  const socket = join(place.sockets, `.s.PGSQL.${node.client.port}`)
  for (const path of [join(dataOf(place, node), 'postmaster.pid'), `${socket}.lock`]) {
    // Of a server in single-user mode it is negative.
    const pid = Math.abs(Number.parseInt(await readFile(path, 'utf8').catch(() => ''), 10))
    if (!Number.isNaN(pid) && !(await runsFor(place, node, pid))) await rm(path, { force: true })
  }
}

/** The program, which notes its process id first: should this process be killed meanwhile, the node is still known to run. */
export const noted = (
  place: Place,
  node: NodeSpec,
  argv: readonly [string, ...string[]],
): readonly [string, ...string[]] => ['bash', '-c', 'echo $$ >"$0" && exec "$@"', pidFileOf(place, node), ...argv]

/** Starts any program of a node in the background, its output in the node's log and its process id in the node's file. */
export async function spawnDetached(host: Host, node: NodeSpec, argv: readonly [string, ...string[]]): Promise<void> {
  const { place } = host
  await removeLocksOfTheDead(place, node)
  await using log = await openLog(place, node)
  const [bash, ...args] = noted(place, node, argv)
  const child = spawn(bash, args, {
    cwd: place.root,
    env: nodeEnvironment(host, node),
    detached: true,
    stdio: ['ignore', log.fd, log.fd],
    ...(place.account === undefined ? {} : { uid: place.account.uid, gid: place.account.gid }),
  })
  await new Promise<void>((resolve, reject) => child.once('error', reject).once('spawn', resolve))
  child.unref()
  const hasNoted: Condition<undefined> = {
    what: `${node.name} to note its process id`,
    observe: async () => ((await notedPid(place, node)) === child.pid ? met(undefined) : notMet('it has not yet')),
  }
  await waitUntil(hasNoted, { timeoutMs: 10_000, intervalMs: 1 })
}

/** 0 when there is none. */
const notedPid = async (place: Place, node: NodeSpec): Promise<number> =>
  Number(await readFile(pidFileOf(place, node), 'utf8').catch(() => '0'))

async function openLog(place: Place, node: NodeSpec): Promise<{ readonly fd: number } & AsyncDisposable> {
  const handle = await openOwn(logOf(place, node), constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT)
  if (place.account !== undefined) await handle.chown(place.account.uid, place.account.gid)
  return { fd: handle.fd, [Symbol.asyncDispose]: () => handle.close() }
}

/** The node's processes, its postmaster (or its entrypoint) first; empty if it is not running. */
export async function serverProcesses(place: Place, node: NodeSpec): Promise<readonly number[]> {
  return (await processTree(await serverPid(place, node))).map(({ pid }) => pid)
}

/** As ps sees it. A node whose postmaster is stopped by a signal is frozen. */
export async function serverState(place: Place, node: NodeSpec): Promise<NodeState> {
  const state = await processState(await serverPid(place, node))
  if (state !== undefined) return state === 'T' ? 'frozen' : 'running'
  const version = await readFile(join(dataOf(place, node), 'PG_VERSION'), 'utf8').catch(() => '')
  return version === '' ? 'absent' : 'stopped'
}

/** Of the postmaster, or of the entrypoint that will be it. 0 if it is not running. The number in the file may belong to another process by now, so its command line is looked at. */
export async function serverPid(place: Place, node: NodeSpec): Promise<number> {
  const pid = await notedPid(place, node)
  return pid !== 0 && (await runsFor(place, node, pid)) ? pid : 0
}

/** Whether the process is alive, and one of this node. */
async function runsFor(place: Place, node: NodeSpec, pid: number): Promise<boolean> {
  if ((await processState(pid)) === undefined) return false
  const command = await commandLine(pid)
  // Empty for the moment in which the entrypoint becomes the server by exec.
  return command === '' || command.includes(`-D ${dataOf(place, node)} `)
}

/**
 * The server takes connections: its postmaster.pid says so, as pg_ctl reads it. Trying to connect instead would cost a
 * process for each try, just while the server is busy starting.
 */
export function takesConnections(place: Place, node: NodeSpec): Condition<undefined> {
  return {
    what: `${node.name} to take connections`,
    observe: async () => {
      const state = await serverState(place, node)
      const lines = (await readFile(join(dataOf(place, node), 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
      const [pid = '', status = ''] = [lines[0], lines[PID_FILE_STATUS_LINE]]
      if (state === 'running' && status.trim() === 'ready' && Number(pid) === (await serverPid(place, node)))
        return met(undefined)
      if (state === 'running')
        return notMet(status.trim() === '' ? 'it has just been started' : `it is ${status.trim()}`)
      throw new LabError(
        'NODE_FAILED',
        `${node.name} has ended; the last it said:\n${lastWords(await logLines(place, node, LAST_LOG_LINES))}`,
        {
          hint: `pnpm run logs ${node.name} shows the whole log.`,
        },
      )
    },
  }
}

/** https://git.postgresql.org/gitweb/?p=postgresql.git;f=src/include/utils/pidfile.h, LOCK_FILE_LINE_PM_STATUS, from 0 */
const PID_FILE_STATUS_LINE = 7

/** The last lines of the node's log. */
export const logLines = async (place: Place, node: NodeSpec, lines: number): Promise<string> =>
  lastLines(await readFile(logOf(place, node), 'utf8').catch(() => ''), lines)
