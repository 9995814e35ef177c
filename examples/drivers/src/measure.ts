/**
 * From what one subject did in one trial to what is told of it. Pure. Instants are milliseconds of the machine's clock.
 */

/** One request, or one notification. */
export interface Attempt {
  readonly id: string
  readonly begunAt: number
  readonly settledAt?: number
  /** Absent: acknowledged, if it settled. */
  readonly error?: string
}

/** What happened around it. */
export interface Instants {
  readonly struckAt: number
  /** When the new primary was one; the same as struckAt where nobody is promoted. */
  readonly promotedAt: number
  /** Until then nobody helps. */
  readonly observedUntil: number
  /** Afterwards the address was moved, where it had not. */
  readonly movedAt?: number
  /** And then the old node's connections were ended. */
  readonly closedAt?: number
  readonly endedAt: number
}

export type End =
  | { readonly kind: 'lives' }
  /** It ended by itself. */
  | { readonly kind: 'crashed'; readonly by: string; readonly exitCode: number | null; readonly at: number }

/**
 * At the end of the observation, by its last three seconds: `well`, every request is acknowledged; `partly`, some are; `stuck`,
 * none is.
 */
export type State = 'well' | 'partly' | 'stuck'

/** What made a stuck one go on. */
export type HealedBy =
  'the address moves' | 'the old connections end' | 'nothing' | 'it crashes with the old connections'

/** One subject in one trial. */
export interface Result {
  /** While it was observed. */
  readonly end: End
  /** From the promotion to the first request that was acknowledged after it; null: none, while it was observed. */
  readonly firstGoodMs: number | null
  readonly state: State
  /** Of a stuck one that lives; else null. */
  readonly healedBy: HealedBy | null
  /** Requests that were under way for three seconds and more when the observation ended. */
  readonly hanging: number
  /** Since it was struck, while it was observed. */
  readonly acknowledged: number
  readonly errors: Readonly<Record<string, number>>
}

/** What the table of the new primary says of it. */
export interface Written {
  /** Ids that are there more than once. */
  readonly duplicates: number
  /** Ids that were acknowledged after the promotion, and are not there: another node took them. */
  readonly astray: number
}

const LAST_MS = 3_000

export function measure(attempts: readonly Attempt[], ended: End, instants: Instants): Result {
  const { struckAt, promotedAt, observedUntil } = instants
  const isCrashed = ended.kind === 'crashed' && ended.at <= observedUntil
  const settled = attempts.filter(({ settledAt }) => settledAt !== undefined && settledAt <= observedUntil)
  const after = settled.filter(({ settledAt = 0 }) => settledAt > struckAt)
  const good = after.filter(isGood).map(({ settledAt = 0 }) => settledAt)
  const firstGoodAt = Math.min(...good.filter(at => at > promotedAt))
  const hanging = attempts.filter(
    ({ begunAt, settledAt = Infinity }) => begunAt < observedUntil - LAST_MS && settledAt > observedUntil,
  )
  const state = stateOf(after, observedUntil)
  return {
    end: isCrashed ? ended : { kind: 'lives' },
    firstGoodMs: firstGoodAt === Infinity ? null : firstGoodAt - promotedAt,
    state,
    healedBy: state === 'stuck' && !isCrashed ? healedBy(attempts, ended, instants) : null,
    hanging: isCrashed ? 0 : hanging.length,
    acknowledged: good.length,
    errors: countedErrors(after),
  }
}

export function compare(attempts: readonly Attempt[], ids: readonly string[], instants: Instants): Written {
  const seen = new Set(ids)
  const twice = new Set(ids.filter((id, at) => ids.indexOf(id) !== at))
  const astray = attempts.filter(
    attempt => isAstray(attempt, seen, instants) && (attempt.settledAt ?? 0) <= instants.observedUntil,
  )
  return { duplicates: twice.size, astray: astray.length }
}

/**
 * Without the answers of an old primary, which nobody will ever see again: they are not good. One that came after the
 * observation, as a frozen server is let go, was none yet.
 */
export function withoutAstray(attempts: readonly Attempt[], ids: readonly string[], instants: Instants): Attempt[] {
  const seen = new Set(ids)
  return attempts.flatMap(attempt => {
    if (!isAstray(attempt, seen, instants)) return [attempt]
    const { id, begunAt, settledAt = 0 } = attempt
    return settledAt > instants.observedUntil ? [{ id, begunAt }] : []
  })
}

/** What was acknowledged before the promotion was good then, replicated in time or not; opening the database is no row. */
const isAstray = (attempt: Attempt, ids: ReadonlySet<string>, { promotedAt }: Instants): boolean =>
  isGood(attempt) && (attempt.settledAt ?? 0) > promotedAt && /^\d+$/.test(attempt.id) && !ids.has(attempt.id)

const isGood = ({ error }: Attempt): boolean => error === undefined

function stateOf(after: readonly Attempt[], observedUntil: number): State {
  const last = after.filter(({ settledAt = 0 }) => settledAt > observedUntil - LAST_MS)
  const good = last.filter(isGood).length
  if (good === 0) return 'stuck'
  return good === last.length ? 'well' : 'partly'
}

function healedBy(attempts: readonly Attempt[], ended: End, { movedAt, closedAt, endedAt }: Instants): HealedBy {
  if (isWellBetween(attempts, movedAt, closedAt ?? endedAt)) return 'the address moves'
  if (ended.kind === 'crashed') return 'it crashes with the old connections'
  return isWellBetween(attempts, closedAt, endedAt) ? 'the old connections end' : 'nothing'
}

/** So many acknowledged in a row are no accident: a pool with one good connection and one that is kept has luck at times. */
const IN_A_ROW = 10

function isWellBetween(attempts: readonly Attempt[], from = Infinity, to: number): boolean {
  const settled = attempts
    .filter(({ settledAt = 0 }) => settledAt > from && settledAt <= to)
    .toSorted((a, b) => (a.settledAt ?? 0) - (b.settledAt ?? 0))
    .slice(-IN_A_ROW)
  return settled.length === IN_A_ROW && settled.every(isGood)
}

function countedErrors(attempts: readonly Attempt[]): Record<string, number> {
  const counts: Record<string, number> = {}
  for (const { error } of attempts) if (error !== undefined) counts[error] = (counts[error] ?? 0) + 1
  return counts
}
