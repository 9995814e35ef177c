/**
 * The state of the cluster: as a table, and as the `status --json` document.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { standbysOf, type NodeStatus, type StandbyStatus } from '../cluster/node-status.ts'
import { senderOf } from '../cluster/conditions.ts'
import { describeKept, type Kept } from '../operations/salvage/keep.ts'
import { formatDuration } from '../postgres/duration.ts'
import { bytesBehind, formatLsn } from '../postgres/lsn.ts'
import { formatBytes, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'
import { SLOT_HEADING, slotRows, slotWarnings } from './slots.ts'

export interface StatusDocument {
  readonly version: 1
  readonly runtime: string
  readonly nodes: readonly NodeStatus[]
  /** What is wrong and what to do about it, a sentence each. */
  readonly warnings: readonly string[]
  /** What was taken away from a node, and no other node had. */
  readonly kept: readonly Kept[]
}

export const statusDocument = (
  cluster: Cluster,
  nodes: readonly NodeStatus[],
  kept: readonly Kept[],
): StatusDocument => ({
  version: 1,
  runtime: cluster.runtime.name,
  nodes,
  warnings: statusWarnings(nodes),
  kept,
})

/** Prints a line a node, then the slots, then what is wrong, then what is kept. */
export function narrateStatus(narrate: Narrator, all: readonly NodeStatus[], kept: readonly Kept[] = []): void {
  narrate.table(NODE_HEADING, nodeRows(all))
  for (const line of silences(all)) narrate.say(line)
  const slots = slotRows(all)
  if (slots.length > 0) {
    narrate.say('')
    narrate.table(SLOT_HEADING, slots)
  }
  for (const warning of statusWarnings(all)) narrate.say(warning)
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
      const standbys = status.replication.length
      return [status.timeline, formatLsn(status.currentLsn), `${standbys} standby${standbys === 1 ? '' : 's'}`, '']
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

/** The nodes that do not answer, and why. */
export const silences = (all: readonly NodeStatus[]): string[] =>
  all.flatMap(status => (status.role === 'unreachable' ? [`${status.name} is ${status.state}: ${status.reason}`] : []))

/** What is wrong with the roles and the slots. */
export const statusWarnings = (all: readonly NodeStatus[]): string[] => [...roleWarnings(all), ...slotWarnings(all)]

function roleWarnings(all: readonly NodeStatus[]): string[] {
  const primaries = all.filter(({ role }) => role === 'primary').map(({ name }) => name)
  const waiting = standbysOf(all).filter(({ waitsForPeers }) => waitsForPeers)
  const waits = waiting.map(({ name }) => waitingText(name, primaries))
  if (primaries.length === 0) return [withoutPrimary(all), ...waits]
  if (primaries.length === 1) return waits
  return [
    `more than one node accepts writes: ${primaries.join(', ')}; pnpm run up lets the most advanced one stay, and keeps what the others have`,
    ...waits,
  ]
}

/** A server that runs and cannot be asked may be the primary, and accept writes of those who are connected already. */
function withoutPrimary(all: readonly NodeStatus[]): string {
  const unasked = all.filter(status => status.role === 'unreachable' && status.state === 'running')
  if (unasked.length === 0) return 'no node accepts writes; pnpm run up brings the cluster up'
  const names = unasked.map(({ name }) => name).join(' and ')
  return `no node that answers accepts writes; whether ${names} does cannot be told; pnpm run up brings the cluster up`
}

const waitingText = (name: string, primaries: readonly string[]): string =>
  primaries.length === 0
    ? `${name} was the primary, and is read-only until it has seen a majority of the nodes, and none with a newer history; SELECT pg_promote() does not wait`
    : `${name} was the primary, and is read-only, because ${primaries.join(', ')} has another history; pnpm run rejoin ${name} brings it back`
