/**
 * How long nobody could write. Pure.
 */
import type { History } from '../history/history.ts'

/** From the last acknowledgement before the fault to the first after it; instants of performance.now() in milliseconds. */
export interface Outage {
  readonly lastAcknowledgedAt: number
  readonly firstAcknowledgedAt: number
  readonly ms: number
  /** See {@link resolutionOf}; null where one of the sides has a single acknowledgement. */
  readonly resolutionMs: number | null
}

/** The instants of a failover, in the order in which they happen. */
export interface Milestones {
  readonly detectedAt: number
  readonly fencedAt: number
  readonly promotedAt: number
}

/** The outage, cut where its phases end; they add up to it. Milliseconds. */
export interface Phases {
  readonly detectMs: number
  readonly fenceMs: number
  readonly promoteMs: number
  readonly firstWriteMs: number
}

/**
 * The gap between acknowledgements that contains `fencedAt`: at that instant the old primary was gone, and the new one not
 * yet promoted, so every acknowledgement before is the old one's and every one after is the new one's.
 * Undefined when nothing was acknowledged on one of the sides.
 */
export function measureOutage({ writes }: History, { fencedAt }: Pick<Milestones, 'fencedAt'>): Outage | undefined {
  const acknowledged = writes.flatMap(({ outcome, settledAt }) => (outcome.kind === 'acknowledged' ? [settledAt] : []))
  acknowledged.sort((a, b) => a - b)
  const before = acknowledged.filter(at => at <= fencedAt)
  const after = acknowledged.filter(at => at > fencedAt)
  const [last, first] = [before.at(-1), after[0]]
  if (last === undefined || first === undefined) return undefined
  return {
    lastAcknowledgedAt: last,
    firstAcknowledgedAt: first,
    ms: first - last,
    resolutionMs: resolutionOf(before, after),
  }
}

/**
 * How far another client's figure may be from this one's: the longest gap between two acknowledgements before the outage, in
 * such a one the old primary ceased, and the longest after it, since the new one may have served for so long before it was
 * seen. The longest, not a percentile: an instant falls into a gap in proportion to its length.
 */
function resolutionOf(before: readonly number[], after: readonly number[]): number | null {
  if (before.length < 2 || after.length < 2) return null
  return longestGap(before) + longestGap(after)
}

const longestGap = (sorted: readonly number[]): number =>
  sorted.reduce((longest, at, index) => Math.max(longest, at - (sorted[index - 1] ?? at)), 0)

/**
 * Cuts an outage into its phases. The client may write to the new primary before the lab has seen the promotion, and the
 * lab may see the fault before the client's last acknowledgement arrives: a milestone outside the outage counts as its edge.
 */
export function measurePhases(
  { lastAcknowledgedAt, firstAcknowledgedAt }: Pick<Outage, 'lastAcknowledgedAt' | 'firstAcknowledgedAt'>,
  milestones: Milestones,
): Phases {
  const within = (at: number): number => Math.min(Math.max(at, lastAcknowledgedAt), firstAcknowledgedAt)
  const [detected, fenced, promoted] = [milestones.detectedAt, milestones.fencedAt, milestones.promotedAt].map(
    within,
  ) as [number, number, number]
  return {
    detectMs: detected - lastAcknowledgedAt,
    fenceMs: fenced - detected,
    promoteMs: promoted - fenced,
    firstWriteMs: firstAcknowledgedAt - promoted,
  }
}

/**
 * The longest time without an acknowledgement since an instant, in milliseconds: for what takes nobody's role. Null when nothing
 * was acknowledged before it, or when it goes on: the history ends with a longer silence than any.
 */
export function longestOutage({ writes, stoppedAt }: History, since: number): number | null {
  const acknowledged = writes
    .flatMap(({ outcome, settledAt }) => (outcome.kind === 'acknowledged' ? [settledAt] : []))
    .sort((a, b) => a - b)
  const before = acknowledged.filter(at => at <= since)
  const around = [...before.slice(-1), ...acknowledged.filter(at => at > since)]
  const longest = longestGap(around)
  if (before.length === 0 || stoppedAt - (around.at(-1) ?? -Infinity) > longest) return null
  return longest
}
