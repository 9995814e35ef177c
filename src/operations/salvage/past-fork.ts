/**
 * What a node has past the fork: the last position that its history and that of today's primary have in common, whichever of
 * the two is newer. A rejoin takes it away.
 */
import { isLabError } from '../../errors.ts'
import { bytesBehind, formatLsn, segmentStart, type Lsn } from '../../postgres/lsn.ts'
import {
  isRewindable,
  lastCommonPoint,
  timelineOf,
  type HistoryPoint,
  type NodeHistory,
} from '../../postgres/node-history.ts'
import { endOfWalDump, parseRelationRecords, type RelationRecords } from '../../postgres/wal-dump.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { readNodeHistory } from '../node-history.ts'
import { readHistoryOnDisk } from './on-disk.ts'
import { findDifference } from './same-wal.ts'
import { runSalvageScript, type ScriptOptions } from './script.ts'

export interface PastFork {
  readonly node: string
  /** Of the node. */
  readonly timeline: number
  /** The last position that both have; 0/0 when they are of two clusters. */
  readonly forkLsn: Lsn
  /** On which that is. */
  readonly forkTimeline: number
  readonly primary: { readonly name: string; readonly timeline: number }
  /** The node's WAL past the fork, in bytes; null without pg_waldump, or when the WAL around the fork is gone. */
  readonly walBytes: number | null
  /** What that WAL touches, most records first; null with `walBytes`. */
  readonly relations: readonly TouchedRelation[] | null
  /** Whether pg_rewind can take it away; else only a clone can. */
  readonly isRewindable: boolean
}

/** A table, index, TOAST table or catalog. */
export interface TouchedRelation {
  /**
   * `lab.writes`; where nobody can tell it (the relation is gone again, or belongs to another database) the file as WAL
   * names it, `tablespace/database/filenode`.
   */
  readonly name: string
  /** WAL records past the fork with a block of it. */
  readonly records: number
}

export interface PastForkOptions extends ScriptOptions {
  /** Whether to ask for the names of the relations, which takes a server started apart (see {@link salvage}). @default true */
  readonly names?: boolean | undefined
}

/**
 * Reads what `node`, which must be stopped, has past the fork; null when it can follow the primary as it is: it has no data, or
 * is on the primary's own timeline and not ahead. The names are asked of the node itself, because the primary may have given
 * the same filenodes to relations of its own.
 * @throws LabError SALVAGE_FAILED when it runs, or a rejoin was interrupted half way; NO_PRIMARY, UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * const past = await readPastFork(cluster, 'primary', { timeoutMs: 60_000 })
 * console.log(past?.walBytes, past?.relations)
 * ```
 */
export async function readPastFork(
  cluster: Cluster,
  node: string,
  { names = true, ...options }: PastForkOptions,
): Promise<PastFork | null> {
  if ((await cluster.runtime.state(node)) === 'absent') return null
  const primary = await cluster.primary(options.signal)
  const told = await readHistoryOnDisk(cluster, node, options)
  const theirs = await readNodeHistory(cluster, primary.name, options.signal)
  const endless = { ...told, endLsn: LAST_LSN }
  const parting = lastCommonPoint(endless, theirs) ?? { timeline: 0, lsn: 0n as Lsn }
  const wal = await readWalPast(cluster, node, { told, parting, ...options })
  const history = wal === undefined ? told : { ...told, endLsn: wal.end }
  const common = lastCommonPoint(history, theirs) ?? parting
  const difference =
    parting.timeline === 0
      ? undefined
      : await findDifference(cluster, node, { primary: primary.name, point: common, ...options })
  const isAhead = history.endLsn > common.lsn
  if (
    timelineOf(told) === timelineOf(theirs) &&
    common.timeline === timelineOf(told) &&
    !isAhead &&
    difference === undefined
  )
    return null
  const forkLsn = difference ?? (isAhead ? common.lsn : parting.lsn)
  const where = {
    ...{ node, timeline: timelineOf(told), forkLsn, forkTimeline: common.timeline },
    primary: { name: primary.name, timeline: timelineOf(theirs) },
    isRewindable: difference === undefined && isRewindable(told, theirs),
  }
  // Where it parts from the other earlier than the histories tell, the WAL is read once more, from there.
  const past =
    difference === undefined
      ? wal
      : await readWalPast(cluster, node, { told, parting: { ...common, lsn: difference }, ...options })
  if (past === undefined) return { ...where, walBytes: null, relations: null }
  const touched = past.touched.map(({ relation, records }) => ({ name: relation, records }))
  const relations = names
    ? await named(cluster, node, { timeline: where.timeline, touched: past.touched, ...options })
    : touched
  return { ...where, walBytes: bytesBehind(past.end, forkLsn), relations }
}

const LAST_LSN = (2n ** 64n - 1n) as Lsn

interface WalPast {
  readonly end: Lsn
  readonly touched: readonly RelationRecords[]
}

/** Undefined without pg_waldump, or when the last WAL is gone. */
async function readWalPast(
  cluster: Cluster,
  node: string,
  { told, parting, ...options }: ScriptOptions & { readonly told: NodeHistory; readonly parting: HistoryPoint },
): Promise<WalPast | undefined> {
  if (!(await cluster.runtime.offers('pg_waldump'))) return undefined
  const stretches = told.timelines.flatMap(({ timeline, beginLsn }, at) => {
    const until = told.timelines[at + 1]?.beginLsn
    const from = beginLsn > parting.lsn ? beginLsn : parting.lsn
    if (until !== undefined && until <= from) return []
    return [String(timeline), formatLsn(from), until === undefined ? '-' : formatLsn(until)]
  })
  const args = ['past', formatLsn(segmentStart(told.endLsn)), ...stretches] as const
  const [last = '', counted = ''] = (await runSalvageScript(cluster, node, { args, ...options })).split('\n')
  const end = endOfWalDump(last)
  return end === undefined ? undefined : { end, touched: parseRelationRecords(counted) }
}

/** So many are asked for: their list is one argument of a program, which has a limit (128 kB on Linux). */
const MOST_NAMES = 1_000

async function named(
  cluster: Cluster,
  node: string,
  {
    timeline,
    touched,
    ...options
  }: ScriptOptions & { readonly timeline: number; readonly touched: readonly RelationRecords[] },
): Promise<readonly TouchedRelation[]> {
  const wanted = touched.slice(0, MOST_NAMES).map(({ relation }) => relation)
  const names = wanted.length === 0 ? {} : await readNames(cluster, node, { timeline, wanted, ...options })
  return touched.map(({ relation, records }) => ({ name: names[relation] ?? relation, records }))
}

async function readNames(
  cluster: Cluster,
  node: string,
  { timeline, wanted, ...options }: ScriptOptions & { readonly timeline: number; readonly wanted: readonly string[] },
): Promise<Readonly<Record<string, string>>> {
  const { settings } = cluster.node(node)
  try {
    const args = ['names', String(timeline), wanted.join(' '), ...settings] as const
    return JSON.parse(await runSalvageScript(cluster, node, { args, ...options })) as Record<string, string>
  } catch (error) {
    if (!isLabError(error, 'SALVAGE_FAILED')) throw error
    return {}
  }
}
