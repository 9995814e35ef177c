/**
 * What a promotion changes beside the roles, of which no client is told.
 */
import type { Cluster } from '../cluster/cluster.ts'
import type { PrimaryStatus } from '../cluster/node-status.ts'
import type { AfterPromotion } from '../measure/record.ts'

/** Looks at the new primary, in the database of the cluster. @throws LabError UNREACHABLE */
export async function readAfterPromotion(
  cluster: Cluster,
  { oldPrimary, newPrimary }: { readonly oldPrimary: PrimaryStatus; readonly newPrimary: string },
  signal?: AbortSignal,
): Promise<AfterPromotion> {
  const [row] = await cluster.ask(newPrimary, session => session.query<Row>(LOOK), signal)
  const { logical_slots: slots = [], ...counts } = row ?? { prepared: 0, sequences: 0, unlogged: 0 }
  return {
    preparedTransactions: counts.prepared,
    sequences: counts.sequences,
    unloggedTables: counts.unlogged,
    logicalSlotsGone: oldPrimary.slots
      .filter(({ slotType, slotName }) => slotType === 'logical' && !slots.includes(slotName))
      .map(({ slotName }) => slotName),
  }
}

interface Row {
  readonly prepared: number
  readonly sequences: number
  readonly unlogged: number
  readonly logical_slots?: readonly string[]
}

const LOOK = `SELECT
  (SELECT count(*)::int FROM pg_prepared_xacts) AS prepared,
  (SELECT count(*)::int FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
    WHERE relkind = 'S' AND nspname <> 'lab') AS sequences,
  (SELECT count(*)::int FROM pg_class WHERE relkind IN ('r', 'm') AND relpersistence = 'u') AS unlogged,
  (SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots WHERE slot_type = 'logical') AS logical_slots`
