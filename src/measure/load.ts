/**
 * What became of an application's own writes: its history, held against what is in its table afterwards. Pure.
 */
import { checkHistory, type Survivors, type Verdict } from '../history/check.ts'
import { errorsByCode, latenciesOf, type History } from '../history/history.ts'
import { longestOutage, measureOutage, measurePhases, type Milestones, type Phases } from './outage.ts'
import { summaryOf, type Summary } from './statistics.ts'
import { countsOf, type WriteCounts } from './write-counts.ts'

/** As the failover record has it, of an application's own requests. */
export interface LoadOutcome {
  /** Never `durable` for want of evidence: where nothing was read, acknowledged or done to the cluster it is `unknown`. */
  readonly verdict: Verdict
  /** Why the verdict is what it is. */
  readonly why: string
  readonly writes: WriteCounts
  /** Acknowledged, and gone. */
  readonly lostIds: readonly string[]
  /** Of unknown outcome, and there. */
  readonly recoveredIds: readonly string[]
  /** There, although it certainly failed. */
  readonly unexpectedIds: readonly string[]
  /** There more than once. */
  readonly duplicateIds: readonly string[]
  /**
   * How long nothing was acknowledged, in milliseconds: around the failover; without one, the longest gap since the first
   * fault. Null when nothing was acknowledged on one of its sides: then it has not recovered.
   */
  readonly outageMs: number | null
  /** See FailoverRecord. */
  readonly resolutionMs: number | null
  /** They add up to the outage; null without a failover. */
  readonly phases: Phases | null
  /** Of acknowledged writes, from when each was due; null when none was. */
  readonly latencyMs: Summary | null
  /** What the application answered instead, by code. */
  readonly errors: Readonly<Record<string, number>>
  readonly history: History
}

export interface LoadEvidence {
  readonly history: History
  readonly survivors: Survivors
  /** performance.now() of each fault and each failover of the time, in their order. */
  readonly faults: readonly number[]
  readonly failovers: readonly Milestones[]
  /** The application's id of each write. */
  readonly idOf: (id: number) => string
}

/** Judges. The longest outage counts, where there was more than one failover. */
export function judgeLoad({ history, survivors, faults, failovers, idOf }: LoadEvidence): LoadOutcome {
  const findings = checkHistory(history, survivors, { faultHappened: faults.length > 0 })
  const latencies = latenciesOf(history)
  return {
    verdict: findings.verdict,
    why: findings.why,
    writes: countsOf(findings),
    lostIds: findings.lostIds.map(idOf),
    recoveredIds: findings.recoveredIds.map(idOf),
    unexpectedIds: findings.unexpectedIds.map(idOf),
    duplicateIds: findings.duplicateIds.map(idOf),
    ...outageOf(history, faults, failovers),
    latencyMs: latencies.length === 0 ? null : summaryOf(latencies),
    errors: errorsByCode(history),
    history,
  }
}

function outageOf(
  history: History,
  faults: readonly number[],
  failovers: readonly Milestones[],
): Pick<LoadOutcome, 'outageMs' | 'resolutionMs' | 'phases'> {
  const unknown = { outageMs: null, resolutionMs: null, phases: null }
  if (failovers.length === 0) {
    const [firstFaultAt] = faults
    return { ...unknown, outageMs: firstFaultAt === undefined ? null : longestOutage(history, firstFaultAt) }
  }
  const outages = failovers.map(failover => ({ failover, outage: measureOutage(history, failover) }))
  let longest = unknown as Pick<LoadOutcome, 'outageMs' | 'resolutionMs' | 'phases'>
  for (const { failover, outage } of outages) {
    if (outage === undefined) return unknown
    const { ms: outageMs, resolutionMs } = outage
    if (outageMs > (longest.outageMs ?? -1))
      longest = { outageMs, resolutionMs, phases: measurePhases(outage, failover) }
  }
  return longest
}
