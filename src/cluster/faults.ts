/**
 * Faults, each a precise thing; they are not interchangeable.
 * - stop: SIGINT, a fast shutdown. Clients are told (57P01), a checkpoint is written, and the WAL senders stay until the
 *   standbys have everything: nothing is lost.
 * - crash: SIGKILL to every process of the node. No flush, no goodbye; what was not sent is on no other node.
 */
import type { Cluster } from './cluster.ts'

/** A fault that takes a primary away. */
export type FailoverFault = 'crash' | 'stop'
export const failoverFaults: readonly [FailoverFault, ...FailoverFault[]] = ['crash', 'stop']

/** What each is, in a sentence. */
export const faultMeanings: Readonly<Record<FailoverFault, string>> = {
  crash: 'SIGKILL to every process of the node: no flush, no goodbye. What it had not sent is on no other node.',
  stop: 'A fast shutdown: clients are told, and the standbys get everything before it ends.',
}

/** SIGKILL to every process of the node; returns when they are gone. */
export async function crash(cluster: Cluster, node: string): Promise<void> {
  cluster.emit({ kind: 'command', node, text: await cluster.runtime.crash(node) })
}

/** A fast shutdown; returns when every process of the node is gone. */
export async function stop(cluster: Cluster, node: string, signal?: AbortSignal): Promise<void> {
  cluster.emit({ kind: 'command', node, text: await cluster.runtime.stop(node, 'fast', { signal }) })
}

/** Either of the two, by its name. */
export async function inflict(
  cluster: Cluster,
  node: string,
  { fault, signal }: { readonly fault: FailoverFault; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  switch (fault) {
    case 'crash':
      return await crash(cluster, node)
    case 'stop':
      return await stop(cluster, node, signal)
  }
}
