/**
 * The state of the cluster: as a table, and as the `status --json` document.
 */
import type { Cluster } from '../cluster/cluster.ts'
import {
  standbysOf,
  type NodeStatus,
  type PrimaryStatus,
  type StandbyStatus,
  type UnreachableStatus,
} from '../cluster/node-status.ts'
import { senderOf } from '../cluster/conditions.ts'
import { describeKept, type Kept } from '../operations/salvage/keep.ts'
import { formatDuration } from '../postgres/duration.ts'
import { bytesBehind, formatLsn } from '../postgres/lsn.ts'
import { formatBytes, formatMs } from './format.ts'
import type { Narrator } from './narrator.ts'
import { retentions, SLOT_HEADING, slotRows, slotWarnings } from './slots.ts'

export interface StatusDocument {
  readonly version: 1
  readonly runtime: string
  readonly nodes: readonly NodeStatus[]
  /** What is wrong and what to do about it, a sentence each. */
  readonly warnings: readonly string[]
  /** What was taken away from a node, and no other node had. */
  readonly kept: readonly Kept[]
}

/** What the nodes themselves do not say in their status. */
export interface Beside {
  readonly kept?: readonly Kept[]
  /** Why a standby does not stream or does not apply, by its name: see readReasons. */
  readonly reasons?: Reasons
}

type Reasons = Readonly<Record<string, string>>

export const statusDocument = (
  cluster: Cluster,
  nodes: readonly NodeStatus[],
  { kept = [], reasons }: Beside = {},
): StatusDocument => ({
  version: 1,
  runtime: cluster.runtime.name,
  nodes,
  warnings: statusWarnings(nodes, reasons),
  kept,
})

/** Prints a line a node, then the slots, then what is wrong, then what is kept. */
export function narrateStatus(
  narrate: Narrator,
  all: readonly NodeStatus[],
  { kept = [], reasons }: Beside = {},
): void {
  narrate.table(NODE_HEADING, nodeRows(all))
  for (const line of silences(all)) narrate.say(line)
  const slots = slotRows(all)
  if (slots.length > 0) {
    narrate.say('')
    narrate.table(SLOT_HEADING, slots)
  }
  for (const warning of statusWarnings(all, reasons)) narrate.say(warning)
  for (const one of kept) {
    narrate.say(`${one.node} keeps what only it had: ${describeKept(one)}; pnpm run salvage ${one.node}`)
  }
}

/** From when on a figure is a problem; undefined: it never is. */
export interface CheckLimits {
  /** Bytes of WAL that a standby has not applied. */
  readonly maxLag: number | undefined
  /** Bytes of WAL that a slot holds back. */
  readonly maxRetained: number | undefined
}

/** What a monitor should be told: nodes that do not answer, what is wrong, and figures past their limits. */
export const statusProblems = (
  all: readonly NodeStatus[],
  { reasons = {}, maxLag, maxRetained }: CheckLimits & Beside,
): string[] => [
  ...silences(all),
  ...statusWarnings(all, reasons),
  ...lags(all, maxLag),
  ...retentions(all, maxRetained),
]

function lags(all: readonly NodeStatus[], limit: number | undefined): string[] {
  const [primary] = all.filter(status => status.role === 'primary')
  if (limit === undefined || primary === undefined) return []
  return standbysOf(all).flatMap(({ name, replayLsn }) => {
    const bytes = bytesBehind(primary.currentLsn, replayLsn)
    return bytes > limit ? [`${name} is ${formatBytes(bytes)} behind, more than ${formatBytes(limit)}`] : []
  })
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
    `${standbys} standby${standbys === 1 ? '' : 's'}`,
    ...(clones > 0 ? [`${clones} clone${clones === 1 ? '' : 's'} in the making`] : []),
    ...(others > 0 ? [`${others} other${others === 1 ? '' : 's'}`] : []),
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

/** The nodes that do not answer, and why. */
export const silences = (all: readonly NodeStatus[]): string[] =>
  all.flatMap(status =>
    status.role === 'unreachable' ? [`${status.name} is ${stateOf(status, all)}: ${status.reason}`] : [],
  )

/** Who is cloned has no server yet; the primary knows that somebody is, and not who. */
function stateOf({ state }: UnreachableStatus, all: readonly NodeStatus[]): string {
  const clones = all.some(
    other => other.role !== 'unreachable' && other.replication.some(sender => sender.state === 'backup'),
  )
  return state === 'running' && clones ? 'running, and is being cloned, it seems' : state
}

/** What is wrong with the roles, the standbys, what commits wait for, and the slots. */
export const statusWarnings = (all: readonly NodeStatus[], reasons: Reasons = {}): string[] => [
  ...roleWarnings(all),
  ...standbyWarnings(all, reasons),
  ...all.flatMap(status =>
    status.role === 'primary'
      ? [...synchronousWarnings(status), ...preparedWarnings(status), ...tablespaceWarnings(status)]
      : [],
  ),
  ...slotWarnings(all),
]

function standbyWarnings(all: readonly NodeStatus[], reasons: Reasons): string[] {
  const [primary, second] = all.filter(({ role }) => role === 'primary')
  if (primary === undefined || second !== undefined) return [] // then the roles are what is wrong
  return standbysOf(all)
    .filter(({ waitsForPeers }) => !waitsForPeers)
    .flatMap(standby => {
      const { name, timeline } = standby
      const why = reasons[name]
      if (senderOf(standby, all) !== undefined) return why === undefined ? [] : [`${name} applies nothing: ${why}`]
      const isNewer = primary.role === 'primary' && timeline > primary.timeline
      const newer = isNewer ? `, and is on timeline ${timeline}, newer than the primary's ${primary.timeline}` : ''
      const because = why === undefined ? '' : `: ${why}`
      return [`${name} streams from no node that answers${newer}${because}; pnpm run up brings it back`]
    })
}

/** https://www.postgresql.org/docs/current/sql-prepare-transaction.html */
const preparedWarnings = ({ name, preparedTransactions: count }: PrimaryStatus): string[] =>
  count === 0
    ? []
    : [
        `${name} has ${count} prepared transaction${count === 1 ? '' : 's'}, which hold${count === 1 ? 's' : ''} locks and live${count === 1 ? 's' : ''} through a promotion: pg_prepared_xacts, then COMMIT PREPARED or ROLLBACK PREPARED`,
      ]

const tablespaceWarnings = ({ tablespaces }: PrimaryStatus): string[] =>
  tablespaces.map(
    ({ spcname, location }) =>
      `tablespace ${spcname} is at ${location} on every node: local servers all write there, and a clone fails; move its tables away and drop it`,
  )

/** https://www.postgresql.org/docs/current/runtime-config-replication.html#GUC-SYNCHRONOUS-STANDBY-NAMES */
function synchronousWarnings({ synchronousStandbyNames, synchronousCommit, replication }: PrimaryStatus): string[] {
  const waits = !['off', 'local'].includes(synchronousCommit)
  if (synchronousStandbyNames === '')
    return ['remote_write', 'remote_apply'].includes(synchronousCommit)
      ? [
          `synchronous_commit is ${synchronousCommit}, and commits wait for no standby: synchronous_standby_names is empty; pnpm run sync one`,
        ]
      : []
  if (!waits)
    return [
      `synchronous_standby_names is set, and commits wait for no standby: synchronous_commit is ${synchronousCommit}; pnpm run sync one --commit on`,
    ]
  const isServed = replication.some(({ syncState }) => syncState === 'sync' || syncState === 'quorum')
  return isServed
    ? []
    : [
        'commits wait for a synchronous standby, and none is connected: every write hangs; pnpm run up brings the standbys back, pnpm run sync off lets commits go on',
      ]
}

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
