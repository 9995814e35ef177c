/**
 * What is looked at when a round is over, read from the servers, the machine and this very process. Judged by checks.ts.
 */
import { readdir } from 'node:fs/promises'
import type { Cluster } from '../../cluster/cluster.ts'
import type { NodeStatus } from '../../cluster/node-status.ts'
import { readUpstream, type Upstream } from '../../cluster/upstream.ts'
import type { Kept } from '../../operations/salvage/keep.ts'
import type { Traces } from '../../runtime/runtime.ts'
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

export interface OwnResources {
  /** Of process.getActiveResourcesInfo(), by type. */
  readonly active: Readonly<Record<string, number>>
  /** Open file descriptors; undefined where /proc does not tell. */
  readonly descriptors: number | undefined
}

export interface RoundEvidence {
  readonly plan: Plan
  /** The user has ended the action: there may have been a failover of which there is no record. */
  readonly isInterrupted: boolean
  readonly runs: readonly RunFindings[]
  readonly changedRuns: readonly ChangedRun[]
  /** What nodes have kept since the round began, before a rejoin took it away. */
  readonly kept: readonly Kept[]
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
      const rows = await cluster.ask(
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
