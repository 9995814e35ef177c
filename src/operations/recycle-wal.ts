/**
 * WAL that nobody needs any more, given back. Each timeline has a segment of its own, also of the same number: without this a
 * series of failovers, which writes little, keeps 16 MB a node and timeline until wal_keep_size has passed.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { caughtUp } from '../cluster/conditions.ts'
import { primaryOf, standbysOf } from '../cluster/node-status.ts'
import { together } from '../together.ts'
import { waitUntil } from '../wait.ts'

const CHECKPOINT_TIMEOUT_MS = 60_000

/** Of a cluster that is well: goes on in a new segment, and checkpoints every node. @throws LabError NO_PRIMARY, UNREACHABLE, TIMEOUT */
export async function recycleWal(
  cluster: Cluster,
  options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
): Promise<void> {
  const { name } = await cluster.primary(options.signal)
  await using session = await cluster.connect(name, { as: 'superuser', signal: options.signal })
  await session.query('SELECT pg_switch_wal()')
  await session.query('CHECKPOINT', [], { timeoutMs: CHECKPOINT_TIMEOUT_MS })
  const all = await cluster.status(options.signal)
  const { currentLsn } = primaryOf(all)
  await together(
    standbysOf(all).filter(
      ({ recoveryMinApplyDelayMs, replayPaused }) => recoveryMinApplyDelayMs === 0 && !replayPaused,
    ),
    async (standby, signal) => {
      await waitUntil(caughtUp(cluster, standby.name, currentLsn), { ...options, signal })
      // Its restartpoint: https://www.postgresql.org/docs/current/wal-configuration.html
      await cluster.ask(
        standby.name,
        asked => asked.query('CHECKPOINT', [], { timeoutMs: CHECKPOINT_TIMEOUT_MS }),
        signal,
      )
    },
    options.signal,
  )
}
