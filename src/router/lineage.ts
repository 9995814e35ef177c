/**
 * Whether a position in the WAL belongs to the history of a server. An LSN alone does not tell: after a promotion two servers
 * have different WAL at one LSN, and two promotions can choose one timeline's number. Pure.
 * https://www.postgresql.org/docs/current/continuous-archiving.html#BACKUP-TIMELINES
 */
import type { Lsn } from '../postgres/lsn.ts'
import type { TimelineSwitch } from '../postgres/timeline-history.ts'

/** The timelines that a server has come through. */
export interface Lineage {
  /** The one it is on. */
  readonly timeline: number
  /** Those before it, oldest first, each with the position where it was left. */
  readonly ended: readonly TimelineSwitch[]
  /** Whether `ended` begins with the first timeline of all; else what was before is not known. */
  readonly isComplete: boolean
}

/** A server of the moment: its data, its process, its history, and how far it is. */
export interface Place {
  /** pg_control_system(): of all servers that were ever cloned from one. */
  readonly system: string
  /** pg_postmaster_start_time(), in microseconds: tells one run of a server from the next. */
  readonly started: string
  readonly lineage: Lineage
  readonly lsn: Lsn
}

/** Where a transaction was committed. Its commit record lies after `from`, and ends at `lsn` or before. */
export interface Position {
  readonly system: string
  readonly started: string
  readonly timeline: number
  /** Where that timeline began; 0/0 for the first of all, undefined where that could not be seen. */
  readonly begin: Lsn | undefined
  readonly from: Lsn
  /** Undefined where the answer to the write was the last thing that the server said. */
  readonly lsn: Lsn | undefined
  /** Whether it was on disk; not with synchronous_commit = off, where a crash may take it away on one and the same timeline. */
  readonly isFlushed: boolean
}

/**
 * `there`: the server has it. `not yet`: it will have it, when its WAL comes that far. `lost`: its history has no such write.
 * `unknown`: cannot be told. `foreign`: of another cluster.
 */
export type Found = 'there' | 'not yet' | 'lost' | 'unknown' | 'foreign'

/** Whether a server has what was committed at a position. */
export function find(position: Position, place: Place): Found {
  if (position.system !== place.system) return 'foreign'
  const { lineage } = place
  const sameRun = position.started === place.started && position.timeline === lineage.timeline
  if (sameRun) return 'there'
  // No timeline comes from one with a higher number.
  if (position.timeline > lineage.timeline) return 'lost'
  const era = eraOf(position.timeline, lineage)
  if (era === undefined) return lineage.isComplete ? 'lost' : 'unknown'
  if (era.end !== undefined && position.from >= era.end) return 'lost'
  if (era.begin === undefined || position.begin === undefined) return 'unknown'
  if (era.begin !== position.begin) return 'lost'
  if (position.lsn === undefined || !position.isFlushed) return 'unknown'
  // Between the two the end of the timeline came, and the commit record may be on either side of it.
  if (era.end !== undefined && position.lsn > era.end) return 'unknown'
  return position.lsn <= place.lsn ? 'there' : 'not yet'
}

/** Where the server's own timeline began: 0/0 for the first of all, undefined where that is not known. */
export const beginOf = (lineage: Lineage): Lsn | undefined => eraOf(lineage.timeline, lineage)?.begin

/** Whether a server on `timeline`, as far as `lsn`, has nothing that the other's history has not. */
export function isPartOf(
  { timeline, lsn }: { readonly timeline: number; readonly lsn: Lsn },
  lineage: Lineage,
): boolean {
  const era = eraOf(timeline, lineage)
  if (era === undefined) return !lineage.isComplete && timeline < lineage.timeline
  return era.end === undefined || lsn <= era.end
}

interface Era {
  readonly begin: Lsn | undefined
  /** Undefined for the timeline that goes on. */
  readonly end: Lsn | undefined
}

const FIRST = 0n as Lsn

function eraOf(timeline: number, { timeline: own, ended, isComplete }: Lineage): Era | undefined {
  const at = timeline === own ? ended.length : ended.findIndex(entry => entry.timeline === timeline)
  if (at === -1) return undefined
  const before = ended[at - 1]
  const begin = before === undefined ? (isComplete ? FIRST : undefined) : before.forkLsn
  return { begin, end: ended[at]?.forkLsn }
}

/** The first timeline of all has no history. */
export const firstLineage: Lineage = { timeline: 1, ended: [], isComplete: true }

/** As a server that was seen to be promoted goes on: pg_last_wal_replay_lsn() is where it left the timeline before. */
export function promoted(before: Lineage, { timeline, forkLsn }: { timeline: number; forkLsn: Lsn }): Lineage {
  const ended = [...before.ended, { timeline: before.timeline, forkLsn }]
  return { timeline, ended, isComplete: before.isComplete }
}
