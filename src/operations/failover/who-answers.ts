/**
 * The nodes that answer soon. A standby that stands still answers nothing, and is no candidate: the others, and the clients,
 * do not wait for it.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import type { NodeStatus } from '../../cluster/node-status.ts'
import { throwIfInterrupted } from '../../errors.ts'
import { together } from '../../together.ts'

const ANSWER_MS = 300

/** What they say of themselves. @throws LabError as Cluster.nodeStatus */
export async function whoAnswers(
  cluster: Cluster,
  names: readonly string[],
  signal: AbortSignal | undefined,
): Promise<NodeStatus[]> {
  const enough = new AbortController()
  const late = setTimeout(() => enough.abort(), ANSWER_MS)
  const ask = async (name: string, either: AbortSignal): Promise<NodeStatus | undefined> => {
    try {
      return await cluster.nodeStatus(name, AbortSignal.any([either, enough.signal]))
    } catch (error) {
      throwIfInterrupted(either)
      if (enough.signal.aborted) return undefined
      throw error
    }
  }
  try {
    return (await together(names, ask, signal)).filter(status => status !== undefined)
  } finally {
    clearTimeout(late)
  }
}
