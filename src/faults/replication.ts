/**
 * Cut from WAL: a standby answers, and receives nothing. What the primary acknowledges meanwhile is on no other node, which
 * is what makes a crash lose something every time. Done with primary_conninfo, as an administrator who detaches a standby
 * would: freezing it would not do, because what was sent waits in its socket and is received when it thaws. And it is told:
 * its connection is closed, while one that is isolated waits for what does not come.
 */
import { undoable } from '../dispose.ts'
import { together } from '../together.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { describeStatus } from '../cluster/conditions.ts'
import { changeSettings, restoreSettings, type ChangeOptions } from '../cluster/settings.ts'
import { readConninfo } from '../cluster/upstream.ts'

/**
 * Cuts standbys from WAL, and returns when none receives any more. Disposing of what it returns lets each look for the primary
 * again; it does not wait until one is found.
 * @throws LabError UNREACHABLE, TIMEOUT
 * @example
 * ```ts
 * await using _cut = await cutFromWal(cluster, ['replica1', 'replica2'], { timeoutMs: 10_000 })
 * ```
 */
export async function cutFromWal(
  cluster: Cluster,
  standbys: readonly string[],
  options: ChangeOptions,
): Promise<AsyncDisposable> {
  const conninfo = new Map<string, string>()
  const cut = async (): Promise<void> => {
    for (const node of standbys) conninfo.set(node, await readConninfo(cluster, node, options.signal))
    const detached = (node: string, signal: AbortSignal): Promise<void> => detach(cluster, node, { ...options, signal })
    await together(standbys, detached, options.signal)
  }
  return await undoable(cut, () => heal(cluster, conninfo, options.timeoutMs))
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
      return status.role === 'standby' && status.walReceiver === null ? met(undefined) : notMet(describeStatus(status))
    },
  }
}

async function heal(cluster: Cluster, conninfo: ReadonlyMap<string, string>, timeoutMs: number): Promise<void> {
  await together([...conninfo], ([node, value]) =>
    restoreSettings(cluster, node, { settings: { primary_conninfo: value }, timeoutMs }),
  )
}
