/**
 * Faults, each a precise thing; they are not interchangeable.
 * - stop: SIGINT, a fast shutdown. Clients are told (57P01), a checkpoint is written, and the WAL senders stay until the
 *   standbys have everything: nothing is lost.
 * - crash: SIGKILL to every process of the node. No flush, no goodbye; what was not sent is on no other node.
 * - cut from WAL: a standby answers, and receives nothing. What the primary acknowledges meanwhile is on no other node,
 *   which is what makes a crash lose something every time. Done with primary_conninfo, as an administrator who detaches a
 *   standby would: freezing it would not do, because what was sent waits in its socket and is received when it thaws.
 */
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { describe } from './conditions.ts'
import { changeSettings, readSetting, restoreSettings, type ChangeOptions } from './settings.ts'

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

/**
 * Cuts standbys from WAL, and returns when none receives any more. Disposing of what it returns lets each look for the primary
 * again; it does not wait until one is found.
 * @throws LabError UNREACHABLE, TIMEOUT
 */
export async function cutFromWal(
  cluster: Cluster,
  standbys: readonly string[],
  options: ChangeOptions,
): Promise<AsyncDisposable> {
  const conninfo = new Map<string, string>()
  let healing: Promise<void> | undefined
  const dispose = async (): Promise<void> => (healing ??= heal(cluster, conninfo, options.timeoutMs))
  try {
    for (const node of standbys) conninfo.set(node, await readConninfo(cluster, node, options.signal))
    await Promise.all(standbys.map(node => detach(cluster, node, options)))
  } catch (error) {
    await dispose()
    throw error
  }
  return { [Symbol.asyncDispose]: dispose }
}

async function readConninfo(cluster: Cluster, node: string, signal: AbortSignal | undefined): Promise<string> {
  await using session = await cluster.connect(node, { as: 'superuser', signal })
  return await readSetting(session, 'primary_conninfo')
}

async function detach(cluster: Cluster, node: string, options: ChangeOptions): Promise<void> {
  await changeSettings(cluster, node, { settings: { primary_conninfo: '' }, ...options })
  await waitUntil(receivesNothing(cluster, node), { ...options, intervalMs: 2 })
}

function receivesNothing(cluster: Cluster, node: string): Condition<undefined> {
  return {
    what: `${node} to receive no WAL any more`,
    observe: async signal => {
      const status = await cluster.nodeStatus(node, signal)
      return status.role === 'standby' && status.walReceiver === null ? met(undefined) : notMet(describe(status))
    },
  }
}

async function heal(cluster: Cluster, conninfo: ReadonlyMap<string, string>, timeoutMs: number): Promise<void> {
  const nodes = [...conninfo]
  await Promise.all(
    nodes.map(([node, value]) => restoreSettings(cluster, node, { settings: { primary_conninfo: value }, timeoutMs })),
  )
}
