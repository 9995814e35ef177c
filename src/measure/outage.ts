/**
 * How long nobody could write. Pure.
 */
import type { History } from '../history/history.ts'

/** From the last acknowledgement before the fault to the first after it; instants of performance.now() in milliseconds. */
export interface Outage {
  readonly lastAcknowledgedAt: number
  readonly firstAcknowledgedAt: number
  readonly ms: number
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
  let last = -Infinity
  let first = Infinity
  for (const { outcome, settledAt } of writes) {
    if (outcome.kind !== 'acknowledged') continue
    if (settledAt <= fencedAt) last = Math.max(last, settledAt)
    else first = Math.min(first, settledAt)
  }
  if (!Number.isFinite(last) || !Number.isFinite(first)) return undefined
  return { lastAcknowledgedAt: last, firstAcknowledgedAt: first, ms: first - last }
}

/**
 * Cuts an outage into its phases. The client may write to the new primary before the lab has seen the promotion, and the
 * lab may see the fault before the client's last acknowledgement arrives: a milestone outside the outage counts as its edge.
 */
export function measurePhases({ lastAcknowledgedAt, firstAcknowledgedAt }: Outage, milestones: Milestones): Phases {
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
