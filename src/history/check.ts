/**
 * The checker: a history, and what is in the database afterwards, judged. Pure.
 */
import type { History } from './history.ts'

/** Never `durable` for want of evidence: no survivors read, nothing acknowledged, or no fault is `unknown`. */
export type Verdict = 'durable' | 'lost-writes' | 'unknown'

/** Ids found in the database after the run, with how often each was found; undefined when it could not be read. */
export type Survivors = ReadonlyMap<number, number> | undefined

export interface Findings {
  readonly attempted: number
  readonly acknowledged: number
  readonly failed: number
  readonly indeterminate: number
  /** Acknowledged, and gone. */
  readonly lostIds: readonly number[]
  /** Of unknown outcome, and there. */
  readonly recoveredIds: readonly number[]
  /** There, although it certainly failed or was never attempted. */
  readonly unexpectedIds: readonly number[]
  /** There more than once. */
  readonly duplicateIds: readonly number[]
  readonly verdict: Verdict
  /** Why the verdict is what it is. */
  readonly why: string
}

/** Judges a history by the survivors. `faultHappened` false makes the verdict unknown: nothing was put to the test. */
export function checkHistory(
  history: History,
  survivors: Survivors,
  { faultHappened }: { readonly faultHappened: boolean },
): Findings {
  const counts = { acknowledged: 0, failed: 0, indeterminate: 0 }
  const lostIds: number[] = []
  const recoveredIds: number[] = []
  const expected = new Set<number>()
  for (const { id, outcome } of history.writes) {
    counts[outcome.kind]++
    if (outcome.kind !== 'failed') expected.add(id)
    if (outcome.kind === 'acknowledged' && survivors?.has(id) === false) lostIds.push(id)
    if (outcome.kind === 'indeterminate' && survivors?.has(id) === true) recoveredIds.push(id)
  }
  const unexpectedIds: number[] = []
  const duplicateIds: number[] = []
  for (const [id, times] of survivors ?? []) {
    if (!expected.has(id)) unexpectedIds.push(id)
    if (times > 1) duplicateIds.push(id)
  }
  return {
    attempted: history.writes.length,
    ...counts,
    lostIds: lostIds.sort(ascending),
    recoveredIds: recoveredIds.sort(ascending),
    unexpectedIds: unexpectedIds.sort(ascending),
    duplicateIds: duplicateIds.sort(ascending),
    ...judge(counts.acknowledged, lostIds.length, { survivors, faultHappened }),
  }
}

const ascending = (a: number, b: number): number => a - b

function judge(
  acknowledged: number,
  lost: number,
  evidence: { readonly survivors: Survivors; readonly faultHappened: boolean },
): { readonly verdict: Verdict; readonly why: string } {
  if (evidence.survivors === undefined) return { verdict: 'unknown', why: 'the survivors could not be read' }
  if (acknowledged === 0) return { verdict: 'unknown', why: 'no write was acknowledged, so none could be lost' }
  if (lost > 0) return { verdict: 'lost-writes', why: `${lost} of ${acknowledged} acknowledged writes are gone` }
  if (!evidence.faultHappened) return { verdict: 'unknown', why: 'no fault happened' }
  return { verdict: 'durable', why: `all ${acknowledged} acknowledged writes are there` }
}
