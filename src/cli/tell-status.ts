import type { Cluster } from '../cluster/cluster.ts'
import { readKept } from '../operations/salvage/keep.ts'
import type { Narrator } from '../report/narrator.ts'
import { narrateStatus, statusDocument, type StatusDocument } from '../report/status.ts'

/** Asks every node, prints what they say, and returns it as the document. */
export async function tellStatus(narrate: Narrator, cluster: Cluster, signal?: AbortSignal): Promise<StatusDocument> {
  const all = await cluster.status(signal)
  const kept = await readKept(cluster)
  narrateStatus(narrate, all, kept)
  return statusDocument(cluster, all, kept)
}
