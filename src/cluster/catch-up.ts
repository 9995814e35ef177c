/**
 * Every standby has what there is: for what is written next to be the only thing that one may lack.
 */
import { together } from '../together.ts'
import { waitUntil } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import { caughtUp } from './conditions.ts'
import { primaryOf, standbysOf } from './node-status.ts'

/** Waits until every standby that answers has applied what is written by now. @throws LabError NO_PRIMARY, NODE_FAILED, TIMEOUT */
export async function waitForCatchUp(
  cluster: Cluster,
  { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const all = await cluster.status(signal)
  const { currentLsn } = primaryOf(all)
  const wait = async (name: string, either: AbortSignal): Promise<unknown> =>
    await waitUntil(caughtUp(cluster, name, currentLsn), { timeoutMs, intervalMs: 2, signal: either })
  const standbys = standbysOf(all).map(({ name }) => name)
  await together(standbys, wait, signal)
}
