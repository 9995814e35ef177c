/**
 * Which server of this machine is the primary: each is asked.
 */
import { isLabError } from '../../errors.ts'
import { connect } from '../../postgres/connection.ts'
import type { NodeSpec, Topology } from '../../topology/topology.ts'

/** The node that accepts writes, if any does. @throws LabError WRONG_PASSWORD, INTERRUPTED */
export async function findPrimary(topology: Topology, signal: AbortSignal | undefined): Promise<NodeSpec | undefined> {
  for (const node of topology.nodes) if (await isPrimary(topology, node, signal)) return node
  return undefined
}

async function isPrimary(topology: Topology, node: NodeSpec, signal: AbortSignal | undefined): Promise<boolean> {
  try {
    await using session = await connect({ ...node.client, ...topology.lab, database: topology.database, signal })
    const [row] = await session.query<{ primary: boolean }>('SELECT NOT pg_is_in_recovery() AS primary')
    return row?.primary === true
  } catch (error) {
    if (isLabError(error) && error.code !== 'UNREACHABLE') throw error
    return false
  }
}
