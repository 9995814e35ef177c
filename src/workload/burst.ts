/**
 * A burst of inserts, and how far each standby is behind at its end.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { standbysOf } from '../cluster/cluster.ts'
import type { Session } from '../postgres/connection.ts'
import { bytesBehind, parseLsn, type Lsn } from '../postgres/lsn.ts'
import { met, notMet, waitUntil } from '../wait.ts'

export interface BurstOptions {
  /** Run once for each insert, as the superuser; `$1` is its number, from 1. */
  readonly insert: string
  /** Asked on every node when the last insert is acknowledged; must return one row with a column `count`. */
  readonly count: string
  readonly inserts: number
  /** Limit for each standby to hold everything, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

export interface Burst {
  /** From the first insert to the acknowledgement of the last. */
  readonly burstMs: number
  readonly primary: { readonly node: string; readonly count: number; readonly endLsn: Lsn }
  readonly standbys: readonly StandbyInBurst[]
}

export interface StandbyInBurst {
  readonly node: string
  /** Rows there, and bytes of WAL not replayed there, as asked at the moment when the last insert was acknowledged. */
  readonly count: number
  readonly bytesBehind: number
  /** From that acknowledgement until its replay position had passed the end of the burst; at most this long. */
  readonly caughtUpMs: number
  /** Median time between two looks at its replay position: what the figure above can resolve. */
  readonly resolutionMs: number
}

/** Inserts on the primary as fast as one connection allows, with every standby watched on connections of their own. */
export async function runBurst(cluster: Cluster, options: BurstOptions): Promise<Burst> {
  const { signal } = options
  const all = await cluster.status(signal)
  const primary = await cluster.primary(signal)
  await using writer = await cluster.connect(primary.name, { as: 'superuser', signal })
  await using asker = await cluster.connect(primary.name, { as: 'superuser', signal })
  const watchers = await Promise.all(standbysOf(all).map(({ name }) => openWatcher(cluster, name, signal)))
  try {
    cluster.emit({ kind: 'sql', node: primary.name, text: `${options.insert} -- ${options.inserts} times` })
    const startedAt = performance.now()
    for (let number = 1; number <= options.inserts; number++)
      await writer.query(options.insert, [number], { name: 'burst' })
    const acknowledgedAt = performance.now()
    const [end, ...seen] = await Promise.all([
      countAndEnd(asker, options.count),
      ...watchers.map(w => look(w.session, options.count)),
    ])
    const standbys = await Promise.all(
      watchers.map(async ({ node, session }, at) => {
        const caughtUp = await waitForReplay(node, session, { lsn: end.lsn, acknowledgedAt, ...options })
        const { count = 0, lsn = end.lsn } = seen[at] ?? {}
        return { node, count, bytesBehind: bytesBehind(end.lsn, lsn), ...caughtUp }
      }),
    )
    return {
      burstMs: acknowledgedAt - startedAt,
      primary: { node: primary.name, count: end.count, endLsn: end.lsn },
      standbys,
    }
  } finally {
    await Promise.all(watchers.map(({ session }) => session[Symbol.asyncDispose]()))
  }
}

interface Watcher {
  readonly node: string
  readonly session: Session
}

const openWatcher = async (cluster: Cluster, node: string, signal: AbortSignal | undefined): Promise<Watcher> => ({
  node,
  session: await cluster.connect(node, { as: 'superuser', signal }),
})

interface Look {
  readonly count: number
  readonly lsn: Lsn
}

const countAndEnd = (session: Session, count: string): Promise<Look> => lookWith(session, count, 'pg_current_wal_lsn()')
const look = (session: Session, count: string): Promise<Look> => lookWith(session, count, 'pg_last_wal_replay_lsn()')

/** The position is read before the rows: on a standby the rows may be newer than the position, never older. */
async function lookWith(session: Session, count: string, position: string): Promise<Look> {
  const [row] = await session.query<{ lsn: string; count: string }>(
    `SELECT ${position}::text AS lsn, (${count}) AS count`,
  )
  return { count: Number(row?.count), lsn: parseLsn(row?.lsn ?? '') }
}

async function waitForReplay(
  node: string,
  session: Session,
  { lsn, acknowledgedAt, timeoutMs, signal }: { readonly lsn: Lsn; readonly acknowledgedAt: number } & BurstOptions,
): Promise<{ readonly caughtUpMs: number; readonly resolutionMs: number }> {
  const looks: number[] = [performance.now()]
  const observe = async (): Promise<ReturnType<typeof met<number>> | ReturnType<typeof notMet>> => {
    const question = 'SELECT pg_last_wal_replay_lsn()::text AS lsn'
    const [row] = await session.query<{ lsn: string }>(question, [], { name: 'replay' })
    looks.push(performance.now())
    const replayed = parseLsn(row?.lsn ?? '')
    return replayed >= lsn
      ? met(performance.now())
      : notMet(`${node} replayed ${row?.lsn}, ${bytesBehind(lsn, replayed)} bytes behind`)
  }
  const at = await waitUntil({ what: `${node} to replay the burst`, observe }, { timeoutMs, signal, intervalMs: 0 })
  return { caughtUpMs: at - acknowledgedAt, resolutionMs: (at - (looks[0] ?? at)) / (looks.length - 1) }
}
