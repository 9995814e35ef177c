/**
 * The history of a node that answers, as the server itself tells it.
 */
import { parseLsn } from '../postgres/lsn.ts'
import { nodeHistory, type NodeHistory } from '../postgres/node-history.ts'
import { readTimelineHistory } from '../postgres/timeline-history.ts'
import type { Cluster } from '../cluster/cluster.ts'

/**
 * IDENTIFY_SYSTEM tells the timeline on which a primary writes, or that a standby replays; what names of files, or
 * pg_control, tell of that is late, or left over. To compare a standby with its primary, read the standby first, or it may be
 * ahead.
 * @throws LabError UNREACHABLE, INTERRUPTED
 */
export async function readNodeHistory(cluster: Cluster, node: string, signal?: AbortSignal): Promise<NodeHistory> {
  await using session = await cluster.connect(node, { asWalSender: true, signal })
  const [system] = await session.query<System>('IDENTIFY_SYSTEM')
  const [received] = await session.query<Received>(RECEIVED)
  if (system === undefined) throw new Error('IDENTIFY_SYSTEM returns a row')
  const current = Number(system.timeline)
  // It may have received a timeline that it does not replay yet.
  const isAhead = received?.lsn != null && received.timeline > current
  const timeline = isAhead ? received.timeline : current
  return nodeHistory({
    systemIdentifier: system.systemid,
    timeline,
    switches: await readTimelineHistory(session, timeline),
    endLsn: parseLsn(isAhead ? received.lsn : system.xlogpos),
  })
}

interface System {
  readonly systemid: string
  /** As text from version 16 on: it is a bigint there. */
  readonly timeline: number | string
  readonly xlogpos: string
}

interface Received {
  readonly timeline: number
  readonly lsn: string | null
}

const RECEIVED = `
SELECT received_tli AS timeline, pg_last_wal_receive_lsn()::text AS lsn FROM pg_stat_wal_receiver WHERE pg_is_in_recovery()`
