import type { Cluster } from '../cluster/cluster.ts'
import { readKept } from '../operations/salvage/keep.ts'
import { readReasons } from '../operations/standing.ts'
import type { Narrator } from '../report/narrator.ts'
import {
  narrateStatus,
  statusDocument,
  statusProblems,
  type CheckLimits,
  type StatusDocument,
} from '../report/status.ts'

export interface CheckDocument extends StatusDocument {
  readonly problems: readonly string[]
}

/** The same for a script: what is wrong, a line each, and the exit code 1 where anything is. */
export async function tellCheck(
  narrate: Narrator,
  cluster: Cluster,
  { signal, ...limits }: CheckLimits & { readonly signal: AbortSignal },
): Promise<CheckDocument> {
  const nodes = await cluster.status(signal)
  const reasons = await readReasons(cluster, nodes, signal)
  const problems = statusProblems(nodes, { reasons, ...limits })
  for (const problem of problems) narrate.say(problem)
  if (problems.length === 0) narrate.say('nothing is wrong')
  else process.exitCode = 1
  return { ...statusDocument(cluster, nodes, { kept: await readKept(cluster), reasons }), problems }
}

/** Asks every node, prints what they say, and returns it as the document. */
export async function tellStatus(narrate: Narrator, cluster: Cluster, signal?: AbortSignal): Promise<StatusDocument> {
  const nodes = await cluster.status(signal)
  const beside = { kept: await readKept(cluster), reasons: await readReasons(cluster, nodes, signal) }
  narrateStatus(narrate, nodes, beside)
  return statusDocument(cluster, nodes, beside)
}
