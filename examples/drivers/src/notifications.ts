/**
 * What listeners should hear.
 */
import { waitUntil, notMet, type TestCluster } from 'pg-failover-lab'
import { CHANNEL } from './protocol.ts'
import type { SubjectProcess } from './subject-process.ts'

interface NotifyOptions {
  /** The node that takes writes now. */
  readonly where: () => string
  readonly processes: readonly SubjectProcess[]
  readonly signal: AbortSignal
}

const EVERY_MS = 200
/** Longer than any trial: it is ended before. */
const LIMIT_MS = 600_000

/** Sends one after another, until it is disposed of. */
export function startNotifying(cluster: TestCluster, { where, processes, signal }: NotifyOptions): AsyncDisposable {
  const end = new AbortController()
  let sent = 0
  // What no server takes, while there is none that does, nobody hears: missing for the listener all the same.
  const observe = async () => {
    const id = `notification-${++sent}`
    for (const subject of processes) subject.expect(id)
    await cluster.query(`NOTIFY ${CHANNEL}, '${id}'`, [], { node: where() }).catch(() => undefined)
    return notMet(`${id} was sent`)
  }
  const all = AbortSignal.any([signal, end.signal])
  const sending = waitUntil(
    { what: 'the trial to end', observe },
    { intervalMs: EVERY_MS, timeoutMs: LIMIT_MS, signal: all },
  )
  const ended = sending.catch(() => undefined)
  return {
    [Symbol.asyncDispose]: async () => {
      end.abort()
      await ended
    },
  }
}
