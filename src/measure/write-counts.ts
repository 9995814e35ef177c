/**
 * How many writes ended how, and what is there of them. Pure.
 */
import type { Findings } from '../history/check.ts'

export interface WriteCounts {
  readonly attempted: number
  readonly acknowledged: number
  readonly failed: number
  readonly indeterminate: number
  readonly lost: number
  readonly recovered: number
  readonly unexpected: number
  /** Ids that are there more than once. */
  readonly duplicates: number
}

/** What the checker has found, as numbers. */
export const countsOf = (findings: Findings): WriteCounts => ({
  attempted: findings.attempted,
  acknowledged: findings.acknowledged,
  failed: findings.failed,
  indeterminate: findings.indeterminate,
  lost: findings.lostIds.length,
  recovered: findings.recoveredIds.length,
  unexpected: findings.unexpectedIds.length,
  duplicates: findings.duplicateIds.length,
})
