/**
 * Whether two nodes that count a timeline by the same number mean the same one. Two that were promoted at one position, or two
 * primaries on one timeline, have equal histories, and nothing but the WAL itself tells them apart.
 */
import { segmentStart, walFileName, type Lsn } from '../../postgres/lsn.ts'
import type { HistoryPoint } from '../../postgres/node-history.ts'
import type { Cluster } from '../../cluster/cluster.ts'

interface Where {
  /** A node that answers, whose WAL is compared with. */
  readonly primary: string
  /** Up to which both have WAL. */
  readonly point: HistoryPoint
  readonly signal?: AbortSignal | undefined
}

/** Page of WAL: what XLOG_BLCKSZ is in every distribution. */
const PAGE = 8192n
/** Records begin on multiples of this. */
const ALIGNMENT = 8n

/**
 * The first position at which the WAL of `node`, which is stopped, is another than the primary's; undefined when it is the
 * same, or when one of them has not kept it. A standby's WAL is a copy, byte by byte, and each record leans on the one
 * before it: so the last page tells of all pages before.
 */
export async function findDifference(
  cluster: Cluster,
  node: string,
  { primary, point, signal }: Where,
): Promise<Lsn | undefined> {
  await using session = await cluster.connect(primary, { signal })
  const differenceFrom = async (begin: Lsn, end: Lsn): Promise<Lsn | undefined> => {
    const start = segmentStart(begin)
    const file = `pg_wal/${walFileName({ timeline: point.timeline, lsn: begin })}`
    const [row] = await session.query<{ bytes: Buffer | null }>(
      'SELECT pg_read_binary_file($1, $2, $3, true) AS bytes',
      [file, Number(begin - start), Number(end - begin)],
    )
    const theirs = row?.bytes ?? undefined
    const ours = (await cluster.runtime.readData(node, file))?.subarray(Number(begin - start), Number(end - start))
    if (ours === undefined || theirs?.length !== ours.length || theirs.equals(ours)) return undefined
    const at = ours.findIndex((byte, index) => byte !== theirs[index])
    return (begin + BigInt(at)) as Lsn
  }
  if (point.lsn === 0n) return undefined
  const last = (point.lsn - 1n) as Lsn
  let found = await differenceFrom(((last / PAGE) * PAGE) as Lsn, point.lsn)
  // The first of all differences: whole segments, as long as they differ from their beginning.
  for (let end = point.lsn; found !== undefined && end > 0n; end = segmentStart((end - 1n) as Lsn)) {
    const begin = segmentStart((end - 1n) as Lsn)
    const earlier = await differenceFrom(begin, end)
    if (earlier === undefined) break
    found = earlier
    if (earlier > begin) break
  }
  return found === undefined ? undefined : (((found / ALIGNMENT) * ALIGNMENT) as Lsn)
}
