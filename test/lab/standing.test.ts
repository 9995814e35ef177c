/**
 * Why a standby is not as it should be, as the servers tell it, and what up does about it, or leaves alone.
 */
import { expect, test } from 'vitest'
import { caughtUp, crash, cutFromWal, failover, hasRole, startWriter, up, waitUntil } from '../../src/index.ts'
import { statusWarnings } from '../../src/report/status-warnings.ts'
import { readReasons } from '../../src/operations/standing.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { nodeTo } from '../support/conditions.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a standby that has more than the new primary', runtime => {
  test('is told from one that only looks for it: their histories have parted', async () => {
    await using cluster = await startTestCluster(runtime)
    await using cut = await cutFromWal(cluster, ['replica1'], LIMIT)
    await using writer = await startWriter(cluster)
    await writer.acknowledges(20, LIMIT)
    await waitUntil(caughtUp(cluster, 'replica2', (await cluster.primary()).currentLsn), LIMIT)
    await crash(cluster, 'primary')
    await writer.stop()
    await cut[Symbol.asyncDispose]()
    await failover(cluster, 'primary', { to: 'replica1', ...LIMIT })
    const { replica2 } = await readReasons(cluster, await cluster.status())
    expect(replica2).toMatch(/^it is at 0\/\w+ on timeline 1, and their histories part at 0\/\w+ on timeline 1$/)
    const all = await cluster.status()
    expect(statusWarnings(all, { replica2: replica2! })).toContainEqual(
      expect.stringMatching(/^replica2 streams from no node that answers: it is at .*; pnpm run up brings it back$/),
    )
    await up(cluster, LIMIT)
    expect(await readReasons(cluster, await cluster.status())).toEqual({})
  })
})

describeEachRuntime('a standby with fewer connections than its primary', runtime => {
  test('is let alone where PostgreSQL has paused it, and its last words are those that tell why', async () => {
    await using cluster = await startTestCluster(runtime)
    const set = (node: string, to: number): Promise<unknown> =>
      cluster.query(node, `ALTER SYSTEM SET max_connections = ${to}`, { as: 'superuser' })
    await set('primary', 120)
    await cluster.runtime.stop('primary', 'fast')
    await cluster.runtime.start('primary')
    await waitUntil(hasRole(cluster, 'primary', 'primary'), LIMIT)
    const paused = nodeTo(cluster, {
      node: 'replica1',
      what: 'pause its replay',
      is: status => status.role === 'standby' && status.replayPaused,
    })
    await waitUntil(paused, LIMIT)
    const error = await catchLabError('NODE_FAILED', () => up(cluster, LIMIT))
    expect(error.message).toMatch(
      /paused the replay of replica\d, since max_connections is 100 there and 120 on primary/,
    )
    await waitUntil(paused, LIMIT)
    expect(await readReasons(cluster, await cluster.status())).toMatchObject({
      replica1: expect.stringContaining('120'),
    })

    await cluster.runtime.stop('replica1', 'fast')
    const ended = await catchLabError('NODE_FAILED', async () => {
      await cluster.runtime.start('replica1')
      await waitUntil(hasRole(cluster, 'replica1', 'standby'), LIMIT)
    })
    expect(ended.message).toMatch(/FATAL: .*insufficient parameter settings\n.*DETAIL: .*max_connections = 100/)
  })
})
