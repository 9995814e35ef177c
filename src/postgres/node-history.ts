/**
 * The history of a node: the timelines that it has come along, and how far it is. Pure.
 * A timeline is its number and where it began: two promotions that did not know of each other choose the same number.
 */
import type { Lsn } from './lsn.ts'
import type { TimelineSwitch } from './timeline-history.ts'

export interface NodeHistory {
  readonly systemIdentifier: string
  /** Oldest first; the last is the one that it is on. */
  readonly timelines: readonly [TimelineStart, ...TimelineStart[]]
  /** The end of what it has, replayed or only received. */
  readonly endLsn: Lsn
}

export interface TimelineStart {
  readonly timeline: number
  /** The first position that is on `timeline`; 0/0 for the first one. */
  readonly beginLsn: Lsn
}

export interface HistoryPoint {
  readonly timeline: number
  readonly lsn: Lsn
}

const ZERO = 0n as Lsn

/** From the number of the timeline that a node is on, and what that timeline's history file tells. */
export function nodeHistory({
  systemIdentifier,
  timeline,
  switches,
  endLsn,
}: {
  readonly systemIdentifier: string
  readonly timeline: number
  readonly switches: readonly TimelineSwitch[]
  readonly endLsn: Lsn
}): NodeHistory {
  const [oldest, ...later] = [...switches.map(({ timeline }) => timeline), timeline]
  const begun = later.map((timeline, at) => ({ timeline, beginLsn: switches[at]?.forkLsn ?? ZERO }))
  const lastBegin = begun.at(-1)?.beginLsn ?? ZERO
  return {
    systemIdentifier,
    timelines: [{ timeline: oldest, beginLsn: ZERO }, ...begun],
    endLsn: endLsn > lastBegin ? endLsn : lastBegin,
  }
}

/** The timeline that a node is on. */
export const timelineOf = ({ timelines }: NodeHistory): number => (timelines.at(-1) ?? timelines[0]).timeline

/**
 * The last position that two nodes have in common, as their histories tell it; null when they are of two clusters. Which of
 * the two is newer does not matter.
 */
export function lastCommonPoint(a: NodeHistory, b: NodeHistory): HistoryPoint | null {
  if (a.systemIdentifier !== b.systemIdentifier) return null
  const parting = a.timelines.findIndex(({ timeline, beginLsn }, at) => {
    const other = b.timelines[at]
    return other?.timeline !== timeline || other.beginLsn !== beginLsn
  })
  const shared = parting === -1 ? a.timelines.length : parting
  const last = a.timelines[shared - 1]
  if (last === undefined) return null
  const [endOfA, endOfB] = [a, b].map(({ timelines, endLsn }) => timelines[shared]?.beginLsn ?? endLsn) as [Lsn, Lsn]
  return { timeline: last.timeline, lsn: endOfA < endOfB ? endOfA : endOfB }
}

/** Whether `a` has something that is not in the history of `b`. */
export function hasPast(a: NodeHistory, b: NodeHistory): boolean {
  const common = lastCommonPoint(a, b)
  return common === null || a.endLsn > common.lsn
}

/**
 * Whether pg_rewind can make `target` follow `source`: it compares the numbers of their timelines, and where those are
 * equal it answers "no rewind required".
 */
export const isRewindable = (target: NodeHistory, source: NodeHistory): boolean =>
  timelineOf(target) !== timelineOf(source) && lastCommonPoint(target, source) !== null

/**
 * For sorting, the most advanced last: by the timeline, then by the end. What is in the history of another one is never
 * more advanced than that. Where two have parted, the later promotion counts more than the number of bytes.
 */
export const compareHistories = (a: NodeHistory, b: NodeHistory): number =>
  timelineOf(a) - timelineOf(b) || (a.endLsn === b.endLsn ? 0 : a.endLsn < b.endLsn ? -1 : 1)
