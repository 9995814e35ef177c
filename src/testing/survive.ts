/**
 * A request put through a failover, from beginning to end.
 */
import type { LoadOutcome } from '../measure/load.ts'
import type { ClusterFailoverOptions, TestCluster } from './cluster.ts'
import type { JudgeOptions, LoadOptions, Send } from '../client/load.ts'

export type SurvivalOptions = JudgeOptions &
  Pick<ClusterFailoverOptions, 'fault' | 'to'> &
  Pick<LoadOptions, 'ratePerSecond' | 'requestTimeoutMs' | 'outcomeOf'> & {
    readonly cluster: TestCluster
    /** Requests acknowledged before the fault, and after the failover. @default 50 */
    readonly requests?: number | undefined
    /** How long to wait for those after it, in milliseconds: an application that never recovers is told from a slow one. @default 30000 */
    readonly settleMs?: number | undefined
  }

/**
 * Sends requests, lets the primary fail, sends on, and judges. An application that acknowledges nothing any more has an outcome,
 * too: without an outage that ends.
 * @example
 * ```ts
 * const cluster = await startCluster()
 * const send = (id: string) => cluster.query('INSERT INTO orders VALUES ($1)', [id])
 * const { outageMs, writes } = await throughFailover(send, { cluster, table: 'orders', fault: 'crash' })
 * ```
 */
export async function throughFailover(send: Send, options: SurvivalOptions): Promise<LoadOutcome> {
  const { cluster, requests = 50, settleMs = 30_000, fault, to, ratePerSecond, requestTimeoutMs, outcomeOf } = options
  await using load = cluster.load({ send, ratePerSecond, requestTimeoutMs, outcomeOf })
  await load.acknowledges(requests)
  await cluster.failover({ fault, to })
  await load.acknowledges(requests, { timeoutMs: settleMs }).catch(() => undefined) // the outcome tells it
  return await load.judge(options)
}
