/**
 * The history of a run: what a client asked for and was told. It lives outside the database under test, which loses its
 * own evidence. Instants are milliseconds of performance.now(), one monotonic clock for the whole run.
 */

/** What became of one write, as far as its client knows. */
export type Outcome =
  | { readonly kind: 'acknowledged' }
  /** Certainly did not happen. */
  | ({ readonly kind: 'failed' } & Refused)
  /** May have happened, or may happen yet. */
  | ({ readonly kind: 'indeterminate' } & Refused)

/** What the client was told instead of an acknowledgement. */
interface Refused {
  /** SQLSTATE, or node's code. */
  readonly code: string
  /** `ERROR`, `FATAL`, `PANIC`: of a server's error alone. */
  readonly severity?: string
}

/** One write: one transaction, with an id of its own. */
export interface Write {
  readonly id: number
  /** When it was due: latency counts from here, so that an outage is felt by every write it delayed. */
  readonly dueAt: number
  readonly sentAt: number
  readonly settledAt: number
  readonly outcome: Outcome
  /** Which server has acknowledged it, where it was asked to say so. */
  readonly server?: string | undefined
}

/** A client that could not even connect, and when. */
export interface ConnectionError {
  readonly at: number
  readonly code: string
}

/** Frozen: nothing is added any more. */
export interface History {
  /** Which run: marks its rows in the table. */
  readonly run: string
  /** In the order in which they were settled. */
  readonly writes: readonly Write[]
  readonly connectionErrors: readonly ConnectionError[]
  readonly startedAt: number
  readonly stoppedAt: number
}

/** How often each error code was met, by writes and by attempts to connect. */
export function errorsByCode({ writes, connectionErrors }: History): Record<string, number> {
  const counts = new Map<string, number>()
  const count = (code: string): unknown => counts.set(code, (counts.get(code) ?? 0) + 1)
  for (const { outcome } of writes) if (outcome.kind !== 'acknowledged') count(outcome.code)
  for (const { code } of connectionErrors) count(code)
  return Object.fromEntries(counts)
}

/**
 * Connections that stood still: attempts to open one, or writes on one, without an answer within their limit. Each was closed by
 * the client.
 */
export const hungConnections = ({ writes, connectionErrors }: History): number =>
  connectionErrors.filter(({ code }) => code === HUNG).length +
  writes.filter(({ outcome }) => outcome.kind !== 'acknowledged' && outcome.code === HUNG).length

const HUNG = 'ETIMEDOUT'

/** Of each write that was acknowledged within a span (default: all), in milliseconds, from when it was due. */
export const latenciesOf = ({ writes }: History, { from = -Infinity, to = Infinity } = {}): number[] =>
  writes.flatMap(({ dueAt, settledAt, outcome }) =>
    outcome.kind === 'acknowledged' && settledAt >= from && settledAt <= to ? [settledAt - dueAt] : [],
  )
