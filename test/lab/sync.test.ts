/**
 * Synchronous replication that stays: through a switchover, a failover, and the death of every standby.
 */
import { expect, test } from 'vitest'
import { addReplica, crash, readSynchronous, removeReplica, runTrial } from '../../src/index.ts'
import { shutDown, changeSynchronous, up, waitUntil, type Cluster, type NodeStatus } from '../../src/index.ts'
import { isWaitedFor } from '../../src/operations/synchronous.ts'
import { nodeTo } from '../support/conditions.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster } from '../support/cli.ts'
import { ALSO_ON_DOCKER, describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'synchronous replication',
  runtime => {
    test('names the right nodes after a switchover and a failover, and blocks writes when no standby is left', async () => {
      await using cluster = await startTestCluster(runtime)
      const one = await changeSynchronous(cluster, { standbys: 'one', synchronousCommit: 'on' }, LIMIT)
      expect(one).toMatchObject({ primary: 'primary', standbys: 'one' })
      await expectWaiting(cluster, 'primary')

      const planned = await runTrial(cluster, { fault: 'switchover', to: 'replica1', ...LIMIT })
      expect(planned.record.verdict).toBe('durable')
      await expectWaiting(cluster, 'replica1')

      const { record } = await runTrial(cluster, { fault: 'crash', cutMs: 100, ...LIMIT })
      expect(record).toMatchObject({ oldPrimary: 'replica1', verdict: 'durable', lostIds: [] })
      await up(cluster, LIMIT)
      const after = record.newPrimary
      await expectWaiting(cluster, after)

      for (const { name } of cluster.nodes) if (name !== after) await crash(cluster, name)
      await using session = await cluster.connect(after)
      const blocked = session.query('CREATE TABLE waited ()')
      const waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
      await expect
        .poll(async () => await cluster.query(after, waiting), { timeout: TIMEOUT_MS })
        .toEqual([{ count: '1' }])
      await changeSynchronous(cluster, { standbys: 'asynchronous', synchronousCommit: 'on' }, LIMIT)
      await blocked

      await catchLabError('NOT_READY', () =>
        changeSynchronous(cluster, { standbys: 'one', synchronousCommit: 'on' }, LIMIT),
      )
      await up(cluster, LIMIT)
      expect((await readSynchronous(cluster)).standbys).toBe('asynchronous')
    })
  },
  ALSO_ON_DOCKER,
)

describeEachRuntime(
  'sync, on the command line',
  runtime => {
    test('sets, shows and refuses', async () => {
      await using cluster = await CliCluster.up(runtime)
      const set = await cluster.json('sync', 'quorum', '--commit', 'remote_apply')
      expect(set.document).toMatchObject({
        ...{ version: 1, primary: 'primary', standbys: 'quorum', synchronousCommit: 'remote_apply' },
        syncStates: { replica1: 'quorum', replica2: 'quorum' },
      })
      expect((await cluster.json('sync')).document).toEqual(set.document)
      const refused = await cluster.run('sync', 'two')
      expect(refused.exitCode).toBe(2)
      expect(refused.stderr).toContain(
        'error: "two" is nothing that a commit can wait for\nhint: It is off, one or quorum.',
      )
      const off = await cluster.run('sync', 'off')
      expect(off).toMatchObject({ exitCode: 0, stderr: '' })
      expect(off.stdout).toContain('may be on the primary alone')
    })
  },
  ['local'],
)

describeEachRuntime(
  'synchronous replication, with replicas that come and go',
  runtime => {
    test('names those of today on every node, and keeps the last one that a commit waits for', async () => {
      await using cluster = await startTestCluster(runtime)
      await changeSynchronous(cluster, { standbys: 'quorum', synchronousCommit: 'on' }, LIMIT)
      await addReplica(cluster, LIMIT)
      expect(await namesEverywhere(cluster)).toEqual(['ANY 1 ("primary", "replica1", "replica2", "replica3")'])
      await expect
        .poll(async () => (await readSynchronous(cluster)).syncStates, { timeout: TIMEOUT_MS })
        .toEqual({ replica1: 'quorum', replica2: 'quorum', replica3: 'quorum' })

      for (const name of ['replica1', 'replica2']) await shutDown(cluster, name)
      const isAlone = {
        what: 'have one standby',
        is: (s: NodeStatus) => s.role === 'primary' && s.replication.length === 1,
      }
      await waitUntil(nodeTo(cluster, { node: 'primary', ...isAlone }), LIMIT)
      const only = await catchLabError('NOT_REMOVABLE', () => removeReplica(cluster, 'replica3', LIMIT))
      expect(only.message).toBe('replica3 is the only synchronous standby: without it every write would wait')
      await up(cluster, LIMIT)
      await removeReplica(cluster, 'replica3', LIMIT)
      expect(await namesEverywhere(cluster)).toEqual(['ANY 1 ("primary", "replica1", "replica2")'])
    })
  },
  ['local'],
)

/** Once, when they are the same on every node. */
async function namesEverywhere(cluster: Cluster): Promise<string[]> {
  const question = "SELECT current_setting('synchronous_standby_names') AS names"
  const all = await Promise.all(cluster.nodes.map(({ name }) => cluster.query<{ names: string }>(name, question)))
  return [...new Set(all.flat().map(({ names }) => names))]
}

/** It has a standby that a commit waits for, and never waits for itself. */
async function expectWaiting(cluster: Cluster, primary: string): Promise<void> {
  const { syncStates, ...state } = await readSynchronous(cluster)
  expect(state).toMatchObject({ primary, standbys: 'one' })
  expect(Object.values(syncStates).filter(isWaitedFor)).toHaveLength(1)
  expect(Object.keys(syncStates)).not.toContain(primary)
}
