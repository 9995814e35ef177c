/**
 * What is wrong with a cluster, why, and what helps: a sentence each. Pure.
 */
import { senderOf } from '../cluster/conditions.ts'
import { standbysOf, type NodeStatus, type PrimaryStatus, type UnreachableStatus } from '../cluster/node-status.ts'
import { bytesBehind } from '../postgres/lsn.ts'
import { counted, formatBytes } from './format.ts'
import { retentions, slotWarnings } from './slots.ts'

/** Why a standby does not stream or does not apply, by its name: see readReasons. */
export type Reasons = Readonly<Record<string, string>>

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
  { reasons = {}, maxLag, maxRetained }: CheckLimits & { readonly reasons?: Reasons },
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

/** What is as somebody wanted it, and what a promotion would take away. */
export const statusRemarks = (all: readonly NodeStatus[]): string[] =>
  all.flatMap(status => {
    const lost = status.role === 'primary' ? [...emptied(status), ...leftBehind(status, all)] : []
    return lost.length === 0 ? [] : [`a promotion would ${lost.join(' and ')}, which only ${status.name} has`]
  })

const emptied = ({ unloggedTables: count }: PrimaryStatus): string[] =>
  count === 0 ? [] : [`empty ${counted(count, 'unlogged table')}`]

/** Since PostgreSQL 17 a standby may have a copy of it. */
function leftBehind({ slots }: PrimaryStatus, all: readonly NodeStatus[]): string[] {
  const copied = standbysOf(all).flatMap(standby => standby.slots.map(({ slotName }) => slotName))
  const alone = slots.filter(({ slotType, slotName }) => slotType === 'logical' && !copied.includes(slotName))
  const names = alone.map(({ slotName }) => slotName)
  return names.length === 0 ? [] : [`leave behind logical ${names.length === 1 ? 'slot' : 'slots'} ${names.join(', ')}`]
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
        `${name} has ${counted(count, 'prepared transaction')} (pg_prepared_xacts), with locks that live through a promotion: COMMIT PREPARED or ROLLBACK PREPARED`,
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
