/**
 * Physical slots follow the roles: the primary has one for each node that follows it, a standby has none,
 * or it would retain WAL for nobody. Slots are not replicated, so every change of roles must see to this.
 */
import { codeOf } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'
import type { Cluster } from './cluster.ts'

/** Creates on `node` (a primary, or a standby about to be one) the slots that are missing. They retain nothing until used. */
export async function createSlots(cluster: Cluster, node: string, session: Session): Promise<void> {
  const others = cluster.nodes.map(({ name }) => name).filter(name => name !== node)
  for (let tries = 1; ; tries++) {
    try {
      await session.query(CREATE, [others])
      return
    } catch (error) {
      // The node's own health check creates them, too, and was faster.
      if (codeOf(error) !== DUPLICATE_OBJECT || tries > others.length) throw error
    }
  }
}

const DUPLICATE_OBJECT = '42710'

const CREATE = `
SELECT pg_create_physical_replication_slot(name) FROM unnest($1::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name)`

/** Drops on a standby the slots left from when it was the primary, unless one is in use. */
export async function dropIdleSlots(session: Session): Promise<void> {
  await session.query(
    `SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_type = 'physical' AND NOT active`,
  )
}
