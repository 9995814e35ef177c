/**
 * What the old primary has that the new one has not: where its timeline was left, and how much WAL it has past that.
 */
import { bytesBehind, formatLsn, segmentStart, type Lsn } from '../postgres/lsn.ts'
import { readTimelineHistory, type TimelineSwitch } from '../postgres/timeline-history.ts'
import { endOfWalDump } from '../postgres/wal-dump.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { Failover } from './failover/failover.ts'

export interface Divergence {
  /** Where the new timeline begins; null when the new primary does not say. */
  readonly forkLsn: Lsn | null
  /** The old primary's WAL past the fork, in bytes; null without pg_waldump. */
  readonly walBytesLost: number | null
}

/** Reads it from both. The old primary must be down, and not yet brought back. Changes nothing. */
export async function readDivergence(
  cluster: Cluster,
  { oldPrimary, newPrimary, timeline }: Pick<Failover, 'oldPrimary' | 'newPrimary' | 'timeline'>,
  signal?: AbortSignal,
): Promise<Divergence> {
  const forkLsn = await readFork(cluster, newPrimary, { of: timeline.before, on: timeline.after, signal })
  if (forkLsn === null) return { forkLsn, walBytesLost: null }
  const end = await readEndOfWal(cluster, oldPrimary, { timeline: timeline.before, near: forkLsn, signal })
  return { forkLsn, walBytesLost: end === undefined ? null : bytesBehind(end, forkLsn) }
}

interface Timelines {
  readonly of: number
  /** The primary's timeline. */
  readonly on: number
  readonly signal?: AbortSignal | undefined
}

/** Where the history of a primary left the timeline `of`; null when that is none of its ancestors. */
export async function readFork(cluster: Cluster, primary: string, { of, on, signal }: Timelines): Promise<Lsn | null> {
  const history = await readSwitches(cluster, primary, { on, signal })
  return history.find(({ timeline }) => timeline === of)?.forkLsn ?? null
}

/** Where the history of a primary on the timeline `on` left each timeline before; empty for timeline 1, which has none. */
async function readSwitches(
  cluster: Cluster,
  primary: string,
  { on, signal }: Omit<Timelines, 'of'>,
): Promise<TimelineSwitch[]> {
  await using session = await cluster.connect(primary, { asWalSender: true, signal })
  return await readTimelineHistory(session, on)
}

interface Place {
  readonly timeline: number
  readonly near: Lsn
  readonly signal: AbortSignal | undefined
}

/** From the beginning of a segment, so that there is a record to find even when there is none past the fork. */
async function readEndOfWal(
  cluster: Cluster,
  node: string,
  { timeline, near, signal }: Place,
): Promise<Lsn | undefined> {
  if (!(await cluster.runtime.offers('pg_waldump'))) return undefined
  const from = formatLsn(segmentStart(near))
  // It always ends with an error: that of the place where there is no record any more.
  const script = 'pg_waldump -p "$PGDATA/pg_wal" -t "$1" -s "$2" 2>/dev/null | tail -n 1'
  const argv = ['bash', '-c', script, 'pg_waldump', String(timeline), from] as const
  const { stdout } = await cluster.runtime.runOffline(node, [...argv], { signal })
  return endOfWalDump(stdout)
}
