/**
 * WAL that a standby needs and its primary has not any more: without a slot, or with one that was lost, it is recycled.
 * The standby itself says so only in its log, and tries again for ever.
 */
import { formatLsn, segmentStart, walFileStart } from '../postgres/lsn.ts'
import { furthestLsn } from '../postgres/status.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { StandbyStatus } from '../cluster/node-status.ts'

/** Why `standby` can never stream from `primary` as it is; undefined while it can. @throws LabError UNREACHABLE */
export async function whyWalIsMissing(
  cluster: Cluster,
  standby: StandbyStatus,
  { primary, signal }: { readonly primary: string; readonly signal?: AbortSignal | undefined },
): Promise<string | undefined> {
  const [row] = await cluster.ask(primary, session => session.query<{ name: string }>(OLDEST), signal)
  if (row === undefined) return undefined
  const wanted = segmentStart(furthestLsn(standby))
  const oldest = walFileStart(row.name)
  if (wanted >= oldest) return undefined
  return `it needs the WAL from ${formatLsn(wanted)} on, and ${primary} has none from before ${formatLsn(oldest)}`
}

// By the number of the segment: the first eight digits are the timeline.
const OLDEST = `
SELECT name FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$' ORDER BY substr(name, 9) LIMIT 1`
