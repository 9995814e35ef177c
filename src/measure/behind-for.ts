/**
 * For how long a standby has been behind, without a heartbeat: from where the primary was, seen again and again, and what
 * the standby has replayed. Right also when the primary is idle, replay is paused or the connection is lost, where
 * pg_last_xact_replay_timestamp() and equal receive and replay positions are not. Pure.
 */
import type { Lsn } from '../postgres/lsn.ts'

/** Where a primary was seen to be. */
export interface PrimaryPosition {
  readonly timeline: number
  readonly currentLsn: Lsn
  /** performance.now() when its answer was there, in milliseconds: it had got there by then. */
  readonly at: number
}

/** More than an hour at two looks a second, of a primary which is written to. */
const MOST_POSITIONS = 10_000

/** Adds a position to those seen before, unless nothing was written since. Those on another timeline are dropped. */
export function withPosition(seen: readonly PrimaryPosition[], now: PrimaryPosition): readonly PrimaryPosition[] {
  const last = seen.at(-1)
  if (last?.timeline !== now.timeline) return [now]
  return last.currentLsn === now.currentLsn ? seen : [...seen, now].slice(-MOST_POSITIONS)
}

/**
 * For how many milliseconds, at least, the standby has lacked something: since the primary was first seen past what it has
 * replayed. 0 when it has all that the primary was seen to have; undefined on another timeline than the primary's.
 */
export function behindForMs(
  seen: readonly PrimaryPosition[],
  standby: { readonly timeline: number; readonly replayLsn: Lsn; readonly askedAt: number },
): number | undefined {
  if (seen.at(-1)?.timeline !== standby.timeline) return undefined
  const first = seen.find(({ currentLsn }) => currentLsn > standby.replayLsn)
  return first === undefined ? 0 : Math.max(0, standby.askedAt - first.at)
}
