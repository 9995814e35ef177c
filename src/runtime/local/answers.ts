/**
 * What the servers of this machine answer.
 */
import { isLabError } from '../../errors.ts'
import { connect } from '../../postgres/connection.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'

/** Whether a node takes connections. @throws LabError WRONG_PASSWORD, INTERRUPTED */
export async function takesConnections(topology: Topology, node: NodeSpec, signal: AbortSignal): Promise<boolean> {
  return (await ask(topology, node, { question: 'SELECT true AS answer', signal })) !== undefined
}

/** The node that accepts writes, if any does. @throws LabError WRONG_PASSWORD, INTERRUPTED */
export async function findPrimary(topology: Topology, signal: AbortSignal | undefined): Promise<NodeSpec | undefined> {
  const question = 'SELECT NOT pg_is_in_recovery() AS answer'
  for (const node of topology.nodes) if ((await ask(topology, node, { question, signal })) === true) return node
  return undefined
}

async function ask(
  topology: Topology,
  node: NodeSpec,
  { question, signal }: { readonly question: string; readonly signal: AbortSignal | undefined },
): Promise<boolean | undefined> {
  try {
    await using session = await connect({ ...node.client, ...topology.lab, database: topology.database, signal })
    return (await session.query<{ answer: boolean }>(question))[0]?.answer
  } catch (error) {
    if (isLabError(error) && error.code !== 'UNREACHABLE') throw error
    return undefined
  }
}
