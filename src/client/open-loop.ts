/**
 * What clients of an open loop have in common: when a write is sent, what came of it, and how many are acknowledged.
 */
import { codeOf } from '../errors.ts'
import type { Outcome } from '../history/history.ts'
import { CONNECTION_LOST, ruleFor, serverErrorOf } from '../postgres/sqlstate.ts'
import { IndeterminateWriteError, RouterError } from '../router/index.ts'
import { met, notMet, pause, type Condition } from '../wait.ts'

/** One object for all: there may be millions. */
export const ACKNOWLEDGED: Outcome = { kind: 'acknowledged' }

/** Waits until a write is due, an instant of performance.now(), or the signal fires. */
export async function untilDue(dueAt: number, signal: AbortSignal): Promise<void> {
  // A timer may fire up to a millisecond early, and nothing is sent before it is due.
  while (dueAt > performance.now() && !signal.aborted)
    await pause(dueAt - performance.now(), signal).catch(() => undefined)
}

/** What a server, or the way to it, says of a statement that was sent. */
export function outcomeOf(error: unknown): Extract<Outcome, { readonly code: string }> {
  if (error instanceof IndeterminateWriteError)
    return { kind: 'indeterminate', code: codeOf(error.cause) ?? CONNECTION_LOST }
  if (error instanceof RouterError && error.code === 'NO_PRIMARY') return { kind: 'failed', code: error.code }
  const { code, severity } = serverErrorOf(error) ?? { code: codeOf(error) ?? CONNECTION_LOST }
  return { kind: ruleFor(code, severity).certainty, code, ...(severity === undefined ? {} : { severity }) }
}

/** So many more of them than there are now. */
export function moreAcknowledged(
  count: number,
  { what, read, beside = () => '' }: { what: string; read: () => number; beside?: () => string },
): Condition<undefined> {
  const before = read()
  return {
    what: `${count} more acknowledged ${what}`,
    observe: async () => (read() - before >= count ? met(undefined) : notMet(`${read() - before} so far${beside()}`)),
  }
}
