/**
 * Which standbys may answer a read, and in which order. Pure.
 *
 * How late a standby is: from where the primary was seen to be, look by look, and what the standby has replayed. Not from
 * pg_last_xact_replay_timestamp() or from equal receive and replay positions, which are right for no standby that is cut off.
 */
import { bytesBehind, formatLsn, type Lsn } from '../postgres/lsn.ts'
import { isPartOf, type Lineage } from './lineage.ts'
import type { StandbyLook } from './look.ts'

/** The primary was here at that moment, performance.now(). */
export interface Mark {
  readonly lsn: Lsn
  readonly at: number
}

export interface ReadLimits {
  /** How many bytes of WAL a standby may lack of what the primary was last seen to have. @default no limit */
  readonly maxLagBytes?: number | undefined
  /** For how many milliseconds it may have lacked something. @default 10000 */
  readonly maxLagMs?: number | undefined
}

export interface Lag {
  readonly bytes: number
  readonly ms: number
}

/** More than an hour at two looks a second, of a primary that is written to. */
const MOST_MARKS = 10_000

/** Adds where the primary is, unless it is where it was. */
export function withMark(marks: readonly Mark[], now: Mark): readonly Mark[] {
  const last = marks.at(-1)
  if (last !== undefined && now.lsn < last.lsn) return [now]
  return last?.lsn === now.lsn ? marks : [...marks, now].slice(-MOST_MARKS)
}

/** How far behind what the primary was seen to have: it may be more by as much as is between two looks. */
export function lagOf(standby: StandbyLook, marks: readonly Mark[]): Lag {
  const bytes = bytesBehind(marks.at(-1)?.lsn ?? standby.replayLsn, standby.replayLsn)
  const first = bytes === 0 ? undefined : marks.find(({ lsn }) => lsn > standby.replayLsn)
  return { bytes, ms: first === undefined ? 0 : Math.max(0, standby.askedAt - first.at) }
}

/** Why a standby does not answer reads, or undefined. `timeline` is the last one that it was seen to receive. */
export function unfitness(
  standby: StandbyLook,
  primary: { readonly system: string; readonly lineage: Lineage | undefined; readonly marks: readonly Mark[] },
  { maxLagBytes = Infinity, maxLagMs = 10_000 }: ReadLimits,
): string | undefined {
  if (standby.system !== primary.system) return 'it is of another cluster'
  const { timeline, replayLsn } = standby
  if (
    timeline !== undefined &&
    primary.lineage !== undefined &&
    !isPartOf({ timeline, lsn: replayLsn }, primary.lineage)
  )
    return `timeline ${timeline} as far as ${formatLsn(replayLsn)} is not in the history of the primary`
  const lag = lagOf(standby, primary.marks)
  if (lag.bytes > maxLagBytes) return `it is ${lag.bytes} bytes behind`
  if (lag.ms > maxLagMs) return `it has been behind for ${Math.round(lag.ms)} ms`
  return undefined
}
