/**
 * The state of the cluster: as a table, and as the `status --json` document.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { NodeStatus, PrimaryStatus, StandbyStatus } from '../cluster/node-status.ts'
import { senderOf } from '../cluster/conditions.ts'
import { describeKept, type Kept } from '../operations/salvage/keep.ts'
import { formatDuration } from '../postgres/duration.ts'
import { bytesBehind, formatLsn } from '../postgres/lsn.ts'
import { counted, formatBytes, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'
import { SLOT_HEADING, slotRows } from './slots.ts'
import { silences, statusRemarks, statusWarnings, type Reasons } from './status-warnings.ts'

export interface StatusDocument {
  readonly version: 1
  readonly runtime: string
  readonly nodes: readonly NodeStatus[]
  /** What is wrong and what to do about it, a sentence each. */
  readonly warnings: readonly string[]
  /** What a promotion would take away, a sentence each. */
  readonly remarks: readonly string[]
  /** What was taken away from a node, and no other node had. */
  readonly kept: readonly Kept[]
}

/** What the nodes themselves do not say in their status. */
export interface Beside {
  readonly kept?: readonly Kept[]
  readonly reasons?: Reasons
  /** Another program that manages the nodes: what the lab would do about anything is nothing to be told then. */
  readonly manager?: string | undefined
}

export const statusDocument = (
  cluster: Cluster,
  nodes: readonly NodeStatus[],
  { kept = [], ...beside }: Beside = {},
): StatusDocument => ({
  version: 1,
  runtime: cluster.runtime.name,
  nodes,
  ...advice(nodes, beside),
  kept,
})

const advice = (
  nodes: readonly NodeStatus[],
  { manager, reasons }: Beside,
): Pick<StatusDocument, 'warnings' | 'remarks'> =>
  manager === undefined
    ? { warnings: statusWarnings(nodes, reasons), remarks: statusRemarks(nodes) }
    : { warnings: [], remarks: [`${manager} manages these nodes, and their slots: pnpm run stack status ${manager}.`] }

/** Prints a line a node, then the slots, then what is wrong, then what is kept. */
export function narrateStatus(
  narrate: Narrator,
  all: readonly NodeStatus[],
  { kept = [], ...beside }: Beside = {},
): void {
  narrate.table(NODE_HEADING, nodeRows(all))
  for (const line of silences(all)) narrate.say(line)
  const slots = slotRows(all)
  if (slots.length > 0) {
    narrate.say('')
    narrate.table(SLOT_HEADING, slots)
  }
  const { warnings, remarks } = advice(all, beside)
  for (const line of [...warnings, ...remarks]) narrate.say(line)
  for (const one of kept) {
    narrate.say(`${one.node} keeps what only it had: ${describeKept(one)}; pnpm run salvage ${one.node}`)
  }
}

/** For how long a standby has been behind, at least, in milliseconds; by its name. Only a watch knows. */
export type BehindFor = Readonly<Record<string, number | undefined>>

export const NODE_HEADING = ['node', 'role', 'timeline', 'LSN', 'replication', 'behind', 'address'] as const

/** A row a node, under {@link NODE_HEADING}. */
export const nodeRows = (all: readonly NodeStatus[], behindFor: BehindFor = {}): (string | number)[][] =>
  all.map(status => [status.name, status.role, ...nodeColumns(status, all, behindFor), `${status.host}:${status.port}`])

function nodeColumns(
  status: NodeStatus,
  all: readonly NodeStatus[],
  behindFor: BehindFor,
): readonly (string | number)[] {
  switch (status.role) {
    case 'primary': {
      return [status.timeline, formatLsn(status.currentLsn), sendsTo(status, all), '']
    }
    case 'standby':
      return [
        status.timeline,
        formatLsn(status.replayLsn),
        replicationOf(status, all),
        behind(status, all, behindFor[status.name]),
      ]
    case 'unreachable':
      return ['', '', '', '']
  }
}

/** `2 standbys, 1 clone`: pg_basebackup has a sender for the data, and one more for the WAL. */
function sendsTo({ replication }: PrimaryStatus, all: readonly NodeStatus[]): string {
  const clones = replication.filter(({ state }) => state === 'backup').length
  const isNode = (name: string): boolean => all.some(status => status.name === name)
  const standbys = replication.filter(
    ({ applicationName, state }) => isNode(applicationName) && state !== 'backup',
  ).length
  const others = replication.filter(
    ({ applicationName, state }) =>
      !isNode(applicationName) && applicationName !== 'pg_basebackup' && ['catchup', 'streaming'].includes(state),
  ).length
  return [
    counted(standbys, 'standby'),
    ...(clones > 0 ? [`${counted(clones, 'clone')} in the making`] : []),
    ...(others > 0 ? [counted(others, 'other')] : []),
  ].join(', ')
}

/** `streaming`, `streaming from replica1, replay paused`: where from is said when it is not the primary. */
function replicationOf(standby: StandbyStatus, all: readonly NodeStatus[]): string {
  const { walReceiver } = standby
  const sender = senderOf(standby, all)
  const isPlain = sender?.role === 'primary' || walReceiver === null
  const from = isPlain ? '' : ` from ${sender?.name ?? `${walReceiver.senderHost}:${walReceiver.senderPort}`}`
  const isDelayed = standby.recoveryMinApplyDelayMs > 0
  return [
    standby.waitsForPeers ? 'was the primary, waits' : `${walReceiver?.status ?? 'not streaming'}${from}`,
    ...(standby.replayPaused ? ['replay paused'] : []),
    ...(isDelayed ? [`applies ${formatDuration(standby.recoveryMinApplyDelayMs)} late`] : []),
  ].join(', ')
}

/** What a query on the standby does not see yet; and whether it has at least been received, or would go with the primary. */
function behind(standby: StandbyStatus, all: readonly NodeStatus[], forMs: number | undefined): string {
  const primary = all.find(status => status.role === 'primary')
  if (primary === undefined) return ''
  if (standby.timeline !== primary.timeline) return 'on another timeline'
  const bytes = bytesBehind(primary.currentLsn, standby.replayLsn)
  const isReceived = standby.receiveLsn !== null && standby.receiveLsn >= primary.currentLsn
  return [
    formatBytes(bytes),
    ...(bytes > 0 && forMs !== undefined && forMs > 0 ? [`for over ${formatMs(forMs)}`] : []),
    ...(bytes > 0 && isReceived ? ['received'] : []),
  ].join(', ')
}
