/**
 * What a promotion changes beside the roles, of which no client is told.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { PrimaryStatus } from '../cluster/node-status.ts'
import type { AfterPromotion } from '../measure/record.ts'
import type { Slot } from '../postgres/status.ts'

/** Looks at today's primary, in the database of the cluster. @throws LabError NO_PRIMARY, UNREACHABLE */
export async function readAfterPromotion(
  cluster: Cluster,
  oldPrimary: PrimaryStatus,
  signal?: AbortSignal,
): Promise<AfterPromotion> {
  const { name, preparedTransactions, unloggedTables, slots } = await cluster.primary(signal)
  const there = logicalSlots(slots)
  const [row] = await cluster.ask(name, session => session.query<Row>(LOOK), signal)
  if (row === undefined) throw new Error('a SELECT without FROM a table returns a row')
  return {
    preparedTransactions,
    sequences: row.sequences,
    unloggedTables,
    logicalSlotsGone: logicalSlots(oldPrimary.slots).filter(slot => !there.includes(slot)),
  }
}

const logicalSlots = (slots: readonly Slot[]): string[] =>
  slots.filter(({ slotType }) => slotType === 'logical').map(({ slotName }) => slotName)

interface Row {
  readonly sequences: number
}

const LOOK = `SELECT count(*)::int AS sequences FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
  WHERE relkind = 'S' AND nspname <> 'lab'`
