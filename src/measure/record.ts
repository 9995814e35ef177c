/**
 * The failover record: the product of the instrument, one versioned JSON document a run. Pure.
 */
import { check, type Survivors, type Verdict } from '../workload/check.ts'
import { errorsByCode, type History } from '../workload/history.ts'
import { measureOutage, measurePhases, type Milestones, type Phases } from './outage.ts'

export interface FailoverRecord {
  readonly version: 1
  readonly runtime: 'docker' | 'local'
  readonly postgresVersion: string
  readonly fault: string
  readonly synchronousCommit: string
  readonly oldPrimary: string
  readonly newPrimary: string
  readonly timeline: { readonly before: number; readonly after: number }
  /** Last acknowledgement before → first after, on one monotonic clock; null when nothing was acknowledged on one side. */
  readonly outageMs: number | null
  /** They add up to the outage. */
  readonly phases: Phases | null
  readonly writes: {
    readonly attempted: number
    readonly acknowledged: number
    readonly failed: number
    readonly indeterminate: number
    readonly lost: number
    readonly recovered: number
    readonly unexpected: number
  }
  readonly lostIds: readonly number[]
  /** By SQLSTATE or node's code, from writes and from attempts to connect. */
  readonly errors: Readonly<Record<string, number>>
  readonly verdict: Verdict
  /** Why the verdict is what it is. */
  readonly why: string
}

export interface FailoverEvidence extends Pick<
  FailoverRecord,
  'runtime' | 'postgresVersion' | 'fault' | 'synchronousCommit'
> {
  readonly failover: Milestones & Pick<FailoverRecord, 'oldPrimary' | 'newPrimary' | 'timeline'>
  readonly history: History
  readonly survivors: Survivors
}

/** Draws up the record from what was done, what the client was told, and what is in the database now. */
export function failoverRecord({ failover, history, survivors, ...setting }: FailoverEvidence): FailoverRecord {
  const { lostIds, recoveredIds, unexpectedIds, verdict, why, ...findings } = check(history, survivors, {
    faultHappened: true,
  })
  const outage = measureOutage(history, failover)
  return {
    version: 1,
    ...setting,
    oldPrimary: failover.oldPrimary,
    newPrimary: failover.newPrimary,
    timeline: failover.timeline,
    outageMs: outage === undefined ? null : rounded(outage.ms),
    phases: outage === undefined ? null : roundedPhases(measurePhases(outage, failover)),
    writes: {
      attempted: findings.attempted,
      acknowledged: findings.acknowledged,
      failed: findings.failed,
      indeterminate: findings.indeterminate,
      lost: lostIds.length,
      recovered: recoveredIds.length,
      unexpected: unexpectedIds.length,
    },
    lostIds,
    errors: errorsByCode(history),
    verdict,
    why,
  }
}

/** To a hundredth of a millisecond: more would pretend to know more. */
const rounded = (ms: number): number => Math.round(ms * 100) / 100

const roundedPhases = (phases: Phases): Phases => ({
  detectMs: rounded(phases.detectMs),
  fenceMs: rounded(phases.fenceMs),
  promoteMs: rounded(phases.promoteMs),
  firstWriteMs: rounded(phases.firstWriteMs),
})
