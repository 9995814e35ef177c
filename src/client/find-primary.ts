/**
 * How a client that knows all nodes finds the one that accepts writes: it keeps asking each.
 */
import { codeOf, interrupted, isLabError } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'
import { CONNECTION_LOST } from '../postgres/sqlstate.ts'
import { pause } from '../wait.ts'
import type { Target } from './target.ts'

export interface FoundPrimary {
  readonly node: string
  readonly session: Session
}

export interface FindOptions {
  readonly signal: AbortSignal
  /** Told of each attempt that failed, by its code. */
  readonly onError: (code: string) => void
  /** A server that does not answer within this is given up, and asked anew: a frozen one never would. @default 1000 */
  readonly patienceMs?: number | undefined
}

/** @internal */
export const PATIENCE_MS = 1_000
const BETWEEN_QUESTIONS_MS = 2
const BETWEEN_ATTEMPTS_MS = 10

/** Asks all nodes, over and over, until one is the primary. @throws LabError INTERRUPTED */
export async function findPrimary(target: Target, options: FindOptions): Promise<FoundPrimary> {
  const { signal } = options
  const others = new AbortController()
  const either = AbortSignal.any([signal, others.signal])
  const searches = target.nodes.map(({ name }) => watchUntilPrimary(target, name, { ...options, signal: either }))
  try {
    const first = await Promise.any(searches)
    // Two may accept writes at once (split brain): the connection to the other is not needed.
    for (const search of searches) {
      search
        .then(async other => {
          if (other !== first) await other.session[Symbol.asyncDispose]()
        })
        .catch(() => undefined)
    }
    return first
  } catch (error) {
    throw interrupted(error) // that is how each of them ends without an answer
  } finally {
    others.abort()
  }
}

/** Rejects when the signal fires, and only then. */
async function watchUntilPrimary(target: Target, node: string, options: FindOptions): Promise<FoundPrimary> {
  for (;;) {
    const session = await askUntilPrimary(target, node, options)
    if (session !== undefined) return { node, session }
    await pause(BETWEEN_ATTEMPTS_MS, options.signal)
  }
}

/** One connection: asked until its server is the primary, or it is lost. */
async function askUntilPrimary(
  target: Target,
  node: string,
  { signal, onError, patienceMs = PATIENCE_MS }: FindOptions,
): Promise<Session | undefined> {
  let session: Session | undefined
  try {
    const options = { connectTimeoutMs: patienceMs, applicationName: 'lab writer' }
    session = await target.connect(node, { via: 'client', signal, ...options })
    let isStandby = await isInRecovery(session, patienceMs)
    while (isStandby && target.moves !== true) {
      await pause(BETWEEN_QUESTIONS_MS, signal)
      isStandby = await isInRecovery(session, patienceMs)
    }
    if (!isStandby && !signal.aborted) return session
  } catch (error) {
    if (!signal.aborted) onError(codeOf(isLabError(error, 'UNREACHABLE') ? error.cause : error) ?? CONNECTION_LOST)
  }
  await session?.[Symbol.asyncDispose]()
  return undefined
}

async function isInRecovery(session: Session, timeoutMs: number): Promise<boolean> {
  const question = 'SELECT pg_is_in_recovery() AS in_recovery'
  const [row] = await session.query<{ in_recovery: boolean }>(question, [], {
    timeoutMs,
    name: 'in_recovery',
  })
  return row?.in_recovery !== false
}
