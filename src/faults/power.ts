/**
 * Faults of a node's power.
 * - stop: SIGINT, a fast shutdown. Clients are told (57P01), a checkpoint is written, and the WAL senders stay until the
 *   standbys have everything: nothing is lost.
 * - crash: SIGKILL to every process of the node. No flush, no goodbye; what was not sent is on no other node.
 * - freeze: SIGSTOP to every process of the node. Its connections stay, and nothing answers; thawed, it goes on as if no
 *   time had passed, and what it was sent meanwhile is still in its sockets.
 */
import { LabError } from '../errors.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { reloadAfterThaw } from '../cluster/settings.ts'
import { once } from '../dispose.ts'

/** A fault that takes a primary away. */
export type FailoverFault = 'crash' | 'stop'
export const failoverFaults: readonly [FailoverFault, ...FailoverFault[]] = ['crash', 'stop']

/** What each is, in a sentence. */
export const faultMeanings: Readonly<Record<FailoverFault, string>> = {
  crash: 'SIGKILL to every process of the node: no flush, no goodbye. What it had not sent is on no other node.',
  stop: 'A fast shutdown: clients are told, and the standbys get everything before it ends.',
}

/**
 * SIGKILL to every process of the node; returns when they are gone.
 * @example
 * ```ts
 * await crash(cluster, (await cluster.primary()).name)
 * ```
 */
export async function crash(cluster: Cluster, node: string): Promise<void> {
  cluster.emit({ kind: 'command', node, text: await cluster.runtime.crash(node) })
}

/**
 * A fast shutdown; returns when every process of the node is gone.
 * @example
 * ```ts
 * await shutDown(cluster, (await cluster.primary()).name)
 * ```
 */
export async function shutDown(cluster: Cluster, node: string, signal?: AbortSignal): Promise<void> {
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
      return await shutDown(cluster, node, signal)
  }
}

/**
 * Every process of the node stands still when it returns; disposing of what it returns lets them go on, those that are left.
 * @throws LabError NOT_RUNNING
 * @example
 * ```ts
 * await using _frozen = await freeze(cluster, 'replica1')
 * ```
 */
export async function freeze(cluster: Cluster, node: string): Promise<AsyncDisposable> {
  const { name } = cluster.node(node)
  const state = await cluster.runtime.state(name)
  if (state !== 'running') {
    throw new LabError('NOT_RUNNING', `${name} is ${state}, so it cannot be frozen`, {
      hint: 'pnpm run status shows the nodes; pnpm run up brings back what is there.',
    })
  }
  cluster.emit({ kind: 'command', node: name, text: await cluster.runtime.freeze(name) })
  return once(async () => {
    // Crashed, or thawed by somebody else meanwhile: nothing stands still any more.
    if ((await cluster.runtime.state(name)) !== 'frozen') return
    cluster.emit({ kind: 'command', node: name, text: await cluster.runtime.thaw(name) })
    await reloadAfterThaw(cluster, name)
  })
}
