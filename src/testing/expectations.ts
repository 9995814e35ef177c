/**
 * What a test expects of an outcome, as facts and messages; the matchers of a test runner are made of these. Pure.
 */
import type { LoadOutcome } from '../measure/load.ts'
import { formatMs } from '../report/format.ts'
import { narrateLoad } from '../report/failover.ts'
import { textOf } from '../report/narrator.ts'

/** Whether it is so, and what to print where that was not wanted. */
export interface Expectation {
  readonly pass: boolean
  readonly message: () => string
}

/** Every acknowledged request is there, and it was put to the test. */
export const hasLostNothing = (outcome: LoadOutcome): Expectation => ({
  pass: outcome.verdict === 'durable',
  message: () =>
    outcome.verdict === 'durable'
      ? told(outcome, 'every acknowledged request is there')
      : told(
          outcome,
          outcome.verdict === 'unknown' ? `it is not known whether something is lost: ${outcome.why}` : outcome.why,
        ),
})

/** So many acknowledged requests are gone, or as many as the predicate allows. */
export function hasLost(outcome: LoadOutcome, wanted: number | ((lost: number) => boolean)): Expectation {
  const { lost } = outcome.writes
  const isKnown = outcome.verdict !== 'unknown'
  const pass = isKnown && (typeof wanted === 'number' ? lost === wanted : wanted(lost))
  const limit = typeof wanted === 'number' ? `${wanted} were expected to be` : 'that is not what was expected'
  const fact = isKnown
    ? `${lost} acknowledged requests are gone, and ${limit}`
    : `it is not known how many are lost: ${outcome.why}`
  return { pass, message: () => told(outcome, fact) }
}

/** No id is there twice. */
export function hasDuplicatedNothing(outcome: LoadOutcome): Expectation {
  const { duplicates } = outcome.writes
  const isKnown = outcome.why !== NOT_READ
  const fact = isKnown
    ? `${duplicates} ids are there more than once`
    : `it is not known what is there twice: ${outcome.why}`
  return { pass: isKnown && duplicates === 0, message: () => told(outcome, fact) }
}

/** What {@link checkHistory} says when nothing was read. */
const NOT_READ = 'the survivors could not be read'

/** Requests were acknowledged again after so many milliseconds at most. */
export function hasRecoveredWithin(outcome: LoadOutcome, limitMs: number): Expectation {
  const { outageMs } = outcome
  const fact =
    outageMs === null
      ? 'no request was acknowledged on one side of the outage, or nothing was done to the cluster'
      : `nothing was acknowledged for ${formatMs(outageMs)}, and the limit is ${formatMs(limitMs)}`
  return { pass: outageMs !== null && outageMs <= limitMs, message: () => told(outcome, fact) }
}

/** The fact, and the record under it as the command prints it. */
const told = (outcome: LoadOutcome, fact: string): string =>
  `${fact}\n\n${textOf(narrate => narrateLoad(narrate, outcome))}`
