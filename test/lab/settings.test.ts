/**
 * Settings that the lab changes for a while: put back on every node, also on one that was down by then.
 */
import { expect, test } from 'vitest'
import { cutFromWal, temporarySynchronous, shutDown, up, type Cluster } from '../../src/index.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('settings that are changed for a while', runtime => {
  test('are put back everywhere, also on a node that was down by then and comes back as it is', async () => {
    await using cluster = await startTestCluster(runtime)
    const before = await settingsOf(cluster)
    await using synchronous = await temporarySynchronous(
      cluster,
      { standbys: 'quorum', synchronousCommit: 'remote_apply' },
      LIMIT,
    )
    for (const [commit, names] of await settingsOf(cluster))
      expect([commit, names]).toEqual(['remote_apply', 'ANY 1 ("primary", "replica1", "replica2")'])
    await using cut = await cutFromWal(cluster, ['replica1', 'replica2'], LIMIT)
    for (const [, , conninfo] of (await settingsOf(cluster)).slice(1)) expect(conninfo).toBe('')
    await shutDown(cluster, 'replica2')

    await cut[Symbol.asyncDispose]()
    await synchronous[Symbol.asyncDispose]()
    await up(cluster, LIMIT)
    expect(await settingsOf(cluster)).toEqual(before)
  })
})

type Row = readonly [synchronousCommit: string, synchronousStandbyNames: string, primaryConninfo: string]

const settingsOf = (cluster: Cluster): Promise<Row[]> =>
  Promise.all(
    cluster.nodes.map(async ({ name }): Promise<Row> => {
      const [row] = await cluster.query<{ settings: Row }>(
        name,
        "SELECT ARRAY[current_setting('synchronous_commit'), current_setting('synchronous_standby_names'), current_setting('primary_conninfo')] AS settings",
        { as: 'superuser' },
      )
      return row!.settings
    }),
  )
