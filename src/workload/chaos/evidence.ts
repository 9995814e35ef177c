/**
 * What is looked at when a round is over, read from the servers, the machine and this very process. Judged by checks.ts.
 */
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Cluster, NodeStatus } from '../../cluster/cluster.ts'
import { readUpstream, type Upstream } from '../../cluster/upstream.ts'
import { codeOf } from '../../errors.ts'
import { run } from '../../runtime/command.ts'
import { stateFolder } from '../../runtime/state-folder.ts'
import type { Acknowledgement } from './watcher.ts'
import type { ChangedRun } from './ledger.ts'
import type { Plan } from './plan.ts'

/** One client's run in a round. */
export interface RunFindings {
  readonly run: string
  /** What was going on: only in the action may something be lost. */
  readonly during: 'action' | 'healing'
  readonly acknowledged: number
  readonly lostIds: readonly number[]
  readonly unexpectedIds: readonly number[]
  readonly duplicateIds: readonly number[]
  /** What the record of the failover says is lost; undefined without a failover or a switchover. */
  readonly recordedLostIds: readonly number[] | undefined
}

export interface NodeSettings {
  readonly node: string
  readonly upstream: Upstream
  /** What ALTER SYSTEM has left there, by name. */
  readonly altered: Readonly<Record<string, string>>
}

export interface NodeSessions {
  readonly node: string
  /** application_name → open sessions; only those of clients. */
  readonly sessions: Readonly<Record<string, number>>
}

/** What is there of the cluster on the machine, by name. */
export interface Traces {
  /** Running servers, or containers in whatever state. */
  readonly servers: readonly string[]
  /** In the cluster's folder and in each volume below it; or the project's volumes. */
  readonly files: readonly string[]
  /** What a cluster consists of; not all of it need be there. */
  readonly expectedFiles: readonly string[]
}

export interface OwnResources {
  /** Of process.getActiveResourcesInfo(), by type. */
  readonly active: Readonly<Record<string, number>>
  /** Open file descriptors; undefined where /proc does not tell. */
  readonly descriptors: number | undefined
}

export interface RoundEvidence {
  readonly plan: Plan
  readonly runs: readonly RunFindings[]
  readonly changedRuns: readonly ChangedRun[]
  readonly acknowledgements: readonly Acknowledgement[]
  readonly expectedNodes: readonly string[]
  readonly nodes: readonly NodeStatus[]
  readonly timelineBefore: number
  readonly settings: readonly NodeSettings[]
  readonly sessions: readonly NodeSessions[]
  readonly traces: Traces
  readonly own: OwnResources
}

/** Of every node, which must answer. */
export async function readSettings(cluster: Cluster, signal?: AbortSignal): Promise<NodeSettings[]> {
  return await Promise.all(
    cluster.nodes.map(async ({ name: node }) => {
      await using session = await cluster.connect(node, { as: 'superuser', signal })
      const rows = await session.query<{ name: string; value: string }>(ALTERED)
      const altered = Object.fromEntries(rows.map(({ name, value }) => [name, value]))
      return { node, upstream: await readUpstream(cluster, node, signal), altered }
    }),
  )
}

const ALTERED = `SELECT name, setting AS value FROM pg_file_settings
WHERE sourcefile LIKE '%/postgresql.auto.conf' ORDER BY seqno`

export async function readSessions(cluster: Cluster, signal?: AbortSignal): Promise<NodeSessions[]> {
  return await Promise.all(
    cluster.nodes.map(async ({ name: node }) => {
      const rows = await cluster.withSession(
        node,
        session => session.query<{ name: string; sessions: number }>(SESSIONS),
        signal,
      )
      return { node, sessions: Object.fromEntries(rows.map(({ name, sessions }) => [name, sessions])) }
    }),
  )
}

const SESSIONS = `SELECT application_name AS name, count(*)::int AS sessions FROM pg_stat_activity
WHERE backend_type = 'client backend' AND pid <> pg_backend_pid() GROUP BY application_name ORDER BY 1`

export async function readTraces(cluster: Cluster): Promise<Traces> {
  return cluster.runtime.name === 'docker' ? await tracesInDocker(cluster) : await tracesOnMachine(cluster)
}

async function tracesInDocker({ topology: { project, nodes } }: Cluster): Promise<Traces> {
  const filter = ['--filter', `label=com.docker.compose.project=${project}`]
  const list = async (...argv: readonly [string, ...string[]]): Promise<string[]> => {
    const { stdout } = await run(['docker', ...argv, ...filter], { environment: process.env })
    return stdout.split('\n').filter(Boolean).sort()
  }
  return {
    servers: await list('ps', '--all', '--format', '{{.Label "com.docker.compose.service"}}'),
    files: await list('volume', 'ls', '--format', '{{.Label "com.docker.compose.volume"}}'),
    expectedFiles: nodes.map(({ data }) => data.volume),
  }
}

async function tracesOnMachine({ topology }: Cluster): Promise<Traces> {
  const root = join(stateFolder(topology.variables), topology.project)
  const files = await listed(root)
  for (const { data } of topology.nodes) {
    files.push(...(await listed(join(root, data.volume))).map(name => `${data.volume}/${name}`))
  }
  const { stdout } = await run(['ps', '-A', '-o', 'args='], { environment: process.env })
  const servers = stdout.split('\n').filter(line => line.includes(`${root}/`))
  const expectedFiles = [
    ...['sockets', 'binds', 'members.json'],
    ...topology.nodes.flatMap(({ name, data: { volume, directory } }) => [
      ...[`${name}.log`, `${name}.pid`, volume],
      ...[directory, '.pgpass', 'members.sh'].map(file => `${volume}/${file}`),
    ]),
  ]
  return { files: files.sort(), expectedFiles, servers: servers.map(line => nodeOf(topology.nodes, line)).sort() }
}

/** The node whose server has that command line; else the line itself, which is no server. */
function nodeOf(nodes: Cluster['nodes'], line: string): string {
  const [, name] = /--cluster_name=(\S+)/.exec(line) ?? []
  return nodes.some(node => node.name === name) && name !== undefined ? name : line
}

async function listed(folder: string): Promise<string[]> {
  return await readdir(folder).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return []
    throw error
  })
}

/** Of this process, now. */
export async function readOwnResources(): Promise<OwnResources> {
  const active: Record<string, number> = {}
  for (const type of process.getActiveResourcesInfo()) active[type] = (active[type] ?? 0) + 1
  const descriptors = await readdir('/proc/self/fd').then(
    names => names.length,
    () => undefined,
  )
  return { active, descriptors }
}
