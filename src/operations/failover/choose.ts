/**
 * Who is to be the primary: the standby that lost least. Pure.
 */
import { LabError } from '../../errors.ts'
import { formatLsn, type Lsn } from '../../postgres/lsn.ts'
import { furthestLsn } from '../../postgres/status.ts'
import type { StandbyStatus } from '../../cluster/node-status.ts'

export interface Candidate {
  readonly name: string
  /** The greater of received and replayed: what it would have as a primary. */
  readonly lsn: Lsn
  readonly timeline: number
  /** It applies late (recovery_min_apply_delay); promoted, it applies at once what it has received. */
  readonly isDelayed: boolean
}

export const candidateOf = (standby: StandbyStatus): Candidate => ({
  name: standby.name,
  lsn: furthestLsn(standby),
  timeline: standby.timeline,
  isDelayed: standby.recoveryMinApplyDelayMs > 0,
})

/**
 * The one named `to`; else the one on the newest timeline, and of those the one that has most. Of two that have the same the
 * one without a delay, and of two without the first. @throws LabError NO_CANDIDATE
 */
export function choose(candidates: readonly Candidate[], to: string | undefined): Candidate {
  const [best] = [...candidates].sort(
    (a, b) => b.timeline - a.timeline || Number(b.lsn - a.lsn) || Number(a.isDelayed) - Number(b.isDelayed),
  )
  if (best === undefined) {
    throw new LabError('NO_CANDIDATE', 'no standby answers, so none can be promoted', {
      hint: 'pnpm run status shows the nodes; pnpm run up brings back what is there.',
    })
  }
  const chosen = to === undefined ? best : candidates.find(({ name }) => name === to)
  if (chosen !== undefined) return chosen
  const seen = candidates
    .map(({ name, lsn, timeline }) => `${name} at ${formatLsn(lsn)} on timeline ${timeline}`)
    .join(', ')
  throw new LabError('NO_CANDIDATE', `${to} is no standby that answers; there are: ${seen}`, {
    hint: `Try --to ${best.name}.`,
  })
}
