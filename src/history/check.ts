/**
 * The checker: a history, and what is in the database afterwards, judged. Pure.
 */
import type { History } from './history.ts'

/**
 * - `durable`: every acknowledged write is there. Never for want of evidence: no survivors read, nothing acknowledged, or no
 *   fault is `unknown`.
 * - `lost-writes`: some are gone.
 * - `inconsistent`: something is there that certainly failed or was never attempted, or is there twice. Then the client, the
 *   server or this checker is wrong, and the run has failed whatever it lost.
 */
export type Verdict = 'durable' | 'lost-writes' | 'inconsistent' | 'unknown'

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

/**
 * Judges a history by the survivors. `faultHappened` false makes the verdict unknown: nothing was put to the test.
 * @example
 * ```ts
 * const writer = await startWriter(cluster)
 * const history = await writer.stop()
 * const survivors = await readSurvivors(cluster, history.run)
 * const { verdict, lostIds } = checkHistory(history, survivors, { faultHappened: false })
 * ```
 */
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
  const found = { lostIds, recoveredIds, unexpectedIds, duplicateIds }
  for (const ids of Object.values(found)) ids.sort(ascending)
  return {
    attempted: history.writes.length,
    ...counts,
    ...found,
    ...judge({ ...found, acknowledged: counts.acknowledged, wasRead: survivors !== undefined, faultHappened }),
  }
}

const ascending = (a: number, b: number): number => a - b

interface Evidence extends Pick<Findings, 'acknowledged' | 'lostIds' | 'unexpectedIds' | 'duplicateIds'> {
  readonly wasRead: boolean
  readonly faultHappened: boolean
}

function judge({ acknowledged, wasRead, faultHappened, ...ids }: Evidence): Pick<Findings, 'verdict' | 'why'> {
  const [lost, unexpected, duplicates] = [ids.lostIds.length, ids.unexpectedIds.length, ids.duplicateIds.length]
  if (!wasRead) return { verdict: 'unknown', why: 'the survivors could not be read' }
  if (unexpected + duplicates > 0) {
    const facts = [
      ...(unexpected > 0 ? [`${unexpected} there that certainly failed or were never attempted`] : []),
      ...(duplicates > 0 ? [`${duplicates} there more than once`] : []),
      ...(lost > 0 ? [`${lost} of ${acknowledged} acknowledged gone`] : []),
    ]
    return { verdict: 'inconsistent', why: `writes that contradict their history: ${facts.join(', ')}` }
  }
  if (acknowledged === 0) return { verdict: 'unknown', why: 'no write was acknowledged, so none could be lost' }
  if (lost > 0) return { verdict: 'lost-writes', why: `${lost} of ${acknowledged} acknowledged writes are gone` }
  if (!faultHappened) return { verdict: 'unknown', why: 'no fault happened' }
  return { verdict: 'durable', why: `all ${acknowledged} acknowledged writes are there` }
}
