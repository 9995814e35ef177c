/**
 * What becomes of a switchover that fails after the shutdown: the old primary goes on, unless another may be the primary.
 */
import { isLabError, LabError, messageOf } from '../../errors.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { describeStatus, hasRole } from '../../cluster/conditions.ts'
import { waitUntil } from '../../wait.ts'

/**
 * Lets the old primary go on, which nobody has replaced, and returns the error that says so.
 * @returns ABORTED, or INTERRUPTED when it was given up for that; NO_PRIMARY when it does not start
 */
export async function goOnAfter(cluster: Cluster, old: string, cause: unknown): Promise<LabError> {
  try {
    await goOn(cluster, old)
  } catch (error) {
    const fact = `the switchover was given up (${messageOf(cause)}), and ${old} does not start again: ${messageOf(error)}`
    return new LabError('NO_PRIMARY', fact, {
      hint: 'Nothing that was acknowledged is lost. pnpm run up brings the cluster back.',
      cause,
    })
  }
  const code = isLabError(cause, 'INTERRUPTED') ? 'INTERRUPTED' : 'ABORTED'
  return new LabError(code, `the switchover was given up, and ${old} goes on as the primary: ${messageOf(cause)}`, {
    hint: 'Nothing that was acknowledged is lost. pnpm run status shows the nodes.',
    cause,
  })
}

/** What it acknowledged is on its own disk, so even a shutdown that hangs may be cut short. */
async function goOn(cluster: Cluster, old: string): Promise<void> {
  const { runtime } = cluster
  const state = await runtime.state(old)
  if (state === 'running' || state === 'frozen') await runtime.crash(old)
  await unfence(cluster, old)
  cluster.emit({ kind: 'command', node: old, text: await runtime.start(old) })
  const accepts = { ...hasRole(cluster, old, 'primary'), what: `${old} to accept writes again` }
  await waitUntil(accepts, { timeoutMs: RESTART_TIMEOUT_MS, intervalMs: 2 })
}

/** Recovery of what was written since the checkpoint before the shutdown: seconds on a slow disk. */
const RESTART_TIMEOUT_MS = 60_000

/** It was fenced for a promotion that did not happen. */
async function unfence({ runtime }: Cluster, node: string): Promise<void> {
  if ((await runtime.readData(node, 'standby.signal')) === undefined) return
  const { exitCode, stderr } = await runtime.runOffline(node, ['bash', '-c', 'rm "$PGDATA/standby.signal"'])
  if (exitCode !== 0) throw new LabError('NODE_FAILED', `standby.signal of ${node} cannot be removed: ${stderr}`)
}

/**
 * The target was told to be the primary, and has not been seen to be it: the old one stays down, or there might be two.
 * @returns the error, with who is the primary as far as can be known
 */
export async function staysDown(
  cluster: Cluster,
  { old, target }: { readonly old: string; readonly target: string },
  cause: unknown,
): Promise<LabError> {
  const seen = describeStatus(await cluster.nodeStatus(target))
  const fact = `${messageOf(cause)}; now ${seen}. It may have been told to be the primary, so ${old} stays down`
  return new LabError(isLabError(cause) ? cause.code : 'NODE_FAILED', fact, {
    hint: `Nothing that was acknowledged is lost. pnpm run up makes one of them the primary; pnpm run logs ${target} shows what holds it up.`,
    cause,
  })
}
