/**
 * Switchover: what it promises, and that it gives up rather than break a promise.
 */
import { expect, test } from 'vitest'
import {
  cutFromWal,
  startWriter,
  switchover,
  waitUntil,
  healthy,
  type Cluster,
  type FailoverRecord,
} from '../../src/index.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectAllStreaming } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a switchover', runtime => {
  test('lets two nodes change places there and back under load, loses nothing, and rewinds nothing', async () => {
    await using cluster = await CliCluster.describe(runtime)
    const first = await cluster.json('switchover', '--to', 'replica2')
    const record = first.document as FailoverRecord
    expect(record).toMatchObject({
      ...{ version: 1, fault: 'switchover', oldPrimary: 'primary', newPrimary: 'replica2', verdict: 'durable' },
      ...{ timeline: { before: 1, after: 2 }, walBytesLost: 0, lostIds: [], outageMs: expect.any(Number) },
    })
    expect(record.writes).toMatchObject({ lost: 0, unexpected: 0 })
    expect(first.narration).not.toContain('pg_rewind --target-pgdata')
    expect(await expectAllStreaming(cluster)).toBe('replica2')

    const back = await cluster.json('switchover', '--to', 'primary')
    expect(back.document).toMatchObject({ oldPrimary: 'replica2', newPrimary: 'primary', verdict: 'durable' })
    expect(await expectAllStreaming(cluster)).toBe('primary')

    for (const [args, exitCode, fact] of [
      [['--to', 'primary'], 2, 'primary is the primary, and no standby'],
      [['--to', 'nobody'], 2, 'there is no node "nobody"'],
    ] as const) {
      const refused = await cluster.run('switchover', ...args)
      expect(refused.exitCode).toBe(exitCode)
      expect(refused.stderr).toContain(`error: ${fact}`)
    }
    expect(await expectAllStreaming(cluster), 'nothing was harmed').toBe('primary')
  })
})

describeEachRuntime(
  'a switchover that cannot be',
  runtime => {
    test('changes nothing while a check fails, and gives the old primary back when it fails after the shutdown', async () => {
      await using cluster = await startTestCluster(runtime)
      const before = await incarnations(cluster)
      await using writer = await startWriter(cluster)
      await writer.acknowledges(50, LIMIT)

      {
        await using _cut = await cutFromWal(cluster, ['replica1'], LIMIT)
        const notStreaming = await catchLabError('NOT_READY', () => switchover(cluster, { to: 'replica1', ...LIMIT }))
        expect(notStreaming.message).toContain('replica1 is a standby on timeline 1')
      }
      await waitUntil(healthy(cluster), LIMIT)

      await cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' })
      const paused = await catchLabError('NOT_READY', () => switchover(cluster, { to: 'replica1', ...LIMIT }))
      expect(paused.message).toContain('replay is paused on replica1')
      await cluster.query('replica1', 'SELECT pg_wal_replay_resume()', { as: 'superuser' })

      await cluster.runtime.freeze('replica2')
      const held = await catchLabError('NOT_READY', () =>
        switchover(cluster, { to: 'replica1', catchUpMs: 300, ...LIMIT }),
      )
      expect(held.message, 'it would hold up the shutdown').toContain('replica2 is streaming and has confirmed')
      await cluster.runtime.thaw('replica2')
      await waitUntil(healthy(cluster), LIMIT)
      expect(await incarnations(cluster), 'no server was touched').toEqual(before)

      await writer.acknowledges(50, LIMIT)
      const aborted = await abortedAfterShutdown(cluster)
      expect(aborted.message).toContain('the switchover was given up, and primary goes on as the primary: waited')
      expect(await cluster.primary()).toMatchObject({ name: 'primary', timeline: 1 })
      await writer.acknowledges(50, LIMIT)
      await cluster.query('replica1', 'SELECT pg_wal_replay_resume()', { as: 'superuser' })
      await waitUntil(healthy(cluster), LIMIT)

      const { writes, run } = await writer.stop()
      const acknowledged = writes.filter(({ outcome }) => outcome.kind === 'acknowledged').map(({ id }) => id)
      const rows = await cluster.query<{ id: string }>('primary', 'SELECT id FROM lab.writes WHERE run = $1', {
        values: [run],
      })
      const there = new Set(rows.map(({ id }) => Number(id)))
      expect(acknowledged.filter(id => !there.has(id))).toEqual([])

      await switchover(cluster, { to: 'replica1', ...LIMIT })
      expect(await cluster.primary()).toMatchObject({ name: 'replica1', timeline: 2 })
    })
  },
  ['docker', 'local'],
)

/** The target receives the last record and does not replay it: its replay is paused between the checks and the shutdown. */
async function abortedAfterShutdown(cluster: Cluster): Promise<Error> {
  const { runtime } = cluster
  const stop = runtime.stop.bind(runtime)
  runtime.stop = async (...args) => {
    await cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' })
    return await stop(...args)
  }
  try {
    return await catchLabError('ABORTED', () => switchover(cluster, { to: 'replica1', catchUpMs: 1_000, ...LIMIT }))
  } finally {
    runtime.stop = stop
  }
}

/** What changes when a server is started anew. */
async function incarnations(cluster: Cluster): Promise<unknown[]> {
  const question = 'SELECT pg_postmaster_start_time()::text AS started'
  const started = await Promise.all(cluster.nodes.map(({ name }) => cluster.query(name, question)))
  return started.flat()
}
