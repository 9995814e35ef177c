/**
 * Physical slots follow the roles: the primary has one for each node that follows it, a standby has none,
 * or it would retain WAL for nobody. Slots are not replicated, so every change of roles must see to this.
 * Slots with other names than those of nodes are somebody else's, and are left alone.
 * For shell, where a node starts or is found healthy, the rule is replica-entrypoint/slots.sh.
 */
import { codeOf } from '../errors.ts'
import type { Session } from '../postgres/connection.ts'
import { met, notMet, waitUntil, type Condition } from '../wait.ts'
import type { Cluster } from './cluster.ts'
import type { ChangeOptions } from './settings.ts'

/**
 * Creates on `node` (a primary, or a standby about to be one) the slots that are missing, and anew those that are lost.
 * They retain nothing until used.
 */
export async function createSlots(cluster: Cluster, node: string, session: Session): Promise<void> {
  const others = otherNodes(cluster, node)
  await besideOthers(others.length, () => session.query(DROP_LOST, [others]))
  await besideOthers(others.length, () => session.query(CREATE, [others]))
}

// Since 16 a slot that was lost stays so when a new clone streams through it: it says unreserved, and retains nothing.
const DROP_LOST = `
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_name = ANY($1) AND slot_type = 'physical' AND wal_status = 'lost' AND NOT active`

const CREATE = `
SELECT pg_create_physical_replication_slot(name) FROM unnest($1::text[]) AS name
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = name)`

/** Drops on `node`, if it is a standby, the slots left from when it was the primary, unless one is in use. */
export async function dropLeftoverSlots(cluster: Cluster, node: string, signal?: AbortSignal): Promise<void> {
  const others = otherNodes(cluster, node)
  const drop = (session: Session): Promise<void> =>
    besideOthers(others.length, () => session.query(DROP_LEFTOVER, [others]))
  await cluster.ask(node, drop, signal)
}

// Not on a node that has been promoted meanwhile: there they are what the others need.
const DROP_LEFTOVER = `
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_name = ANY($1) AND slot_type = 'physical' AND NOT active AND pg_is_in_recovery()`

/** Makes a slot on `node`, whatever its role. Returns whether there was none. */
export async function createSlot(cluster: Cluster, node: string, { of }: { readonly of: string }): Promise<boolean> {
  return (await cluster.withSession(node, session => session.query(CREATE_ONE, [of]))).length > 0
}

const CREATE_ONE = `SELECT pg_create_physical_replication_slot($1)
WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = $1)`

/**
 * Drops a slot that nobody needs any more. The sender of a standby that has just ended, or left, holds it for a moment longer.
 * @throws LabError UNREACHABLE, TIMEOUT
 */
export async function dropSlot(
  cluster: Cluster,
  node: string,
  { of, ...options }: ChangeOptions & { readonly of: string },
): Promise<void> {
  const dropped: Condition<undefined> = {
    what: `the slot ${of} on ${node} to be unused, and dropped`,
    observe: signal =>
      cluster.ask(
        node,
        async session => {
          await besideOthers(1, () => session.query(DROP_IDLE, [of]))
          const [left] = await session.query('SELECT FROM pg_replication_slots WHERE slot_name = $1', [of])
          return left === undefined ? met(undefined) : notMet('it is in use')
        },
        signal,
      ),
  }
  await waitUntil(dropped, options)
}

const DROP_IDLE = `
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots
WHERE slot_name = $1 AND slot_type = 'physical' AND NOT active`

const otherNodes = (cluster: Cluster, node: string): string[] =>
  cluster.nodes.map(({ name }) => name).filter(name => name !== node)

/** A node's own health check, its entrypoint or another command may do the same at the same moment, and be faster. */
async function besideOthers(slots: number, change: () => Promise<unknown>): Promise<void> {
  for (let tries = 1; ; tries++) {
    try {
      await change()
      return
    } catch (error) {
      if (!TAKEN_MEANWHILE.has(codeOf(error) ?? '') || tries > slots) throw error
    }
  }
}

/** duplicate_object, undefined_object, object_in_use: https://www.postgresql.org/docs/current/errcodes-appendix.html */
const TAKEN_MEANWHILE: ReadonlySet<string> = new Set(['42710', '42704', '55006'])
