/**
 * The state of the cluster for people, for a program, and for a script.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { NodeStatus } from '../cluster/node-status.ts'
import { readKept } from '../operations/salvage/keep.ts'
import { readReasons } from '../operations/standing.ts'
import type { Narrator } from '../report/narrator.ts'
import { narrateStatus, statusDocument, type Beside, type StatusDocument } from '../report/status.ts'
import { statusProblems, type CheckLimits } from '../report/status-warnings.ts'

export interface CheckDocument extends StatusDocument {
  readonly problems: readonly string[]
}

/** Asks every node, prints what they say, and returns it as the document. */
export async function tellStatus(narrate: Narrator, cluster: Cluster, signal?: AbortSignal): Promise<StatusDocument> {
  const { nodes, ...beside } = await readStanding(cluster, signal)
  narrateStatus(narrate, nodes, beside)
  return statusDocument(cluster, nodes, beside)
}

/** The same for a script: what is wrong, a line each, and the exit code 1 where anything is. */
export async function tellCheck(
  narrate: Narrator,
  cluster: Cluster,
  { signal, ...limits }: CheckLimits & { readonly signal: AbortSignal },
): Promise<CheckDocument> {
  const { nodes, ...beside } = await readStanding(cluster, signal)
  const problems = statusProblems(nodes, { ...beside, ...limits })
  for (const problem of problems) narrate.say(problem)
  if (problems.length === 0) narrate.say('nothing is wrong')
  else process.exitCode = 1
  return { ...statusDocument(cluster, nodes, beside), problems }
}

async function readStanding(
  cluster: Cluster,
  signal?: AbortSignal,
): Promise<Required<Beside> & { nodes: NodeStatus[] }> {
  const nodes = await cluster.status(signal)
  const manager = (await cluster.runtime.manager())?.name
  return { nodes, manager, kept: await readKept(cluster), reasons: await readReasons(cluster, nodes, signal) }
}
