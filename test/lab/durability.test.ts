/**
 * The positive control: a run in which writes must be lost, and are found; and the same fault under settings that promise
 * that none is.
 */
import { expect, test } from 'vitest'
import type { DurabilityDocument } from '../../src/measure/durability.ts'
import { CliCluster, expectAllStreaming } from '../support/cli.ts'
import { describeEachRuntime } from '../support/runtimes.ts'

describeEachRuntime(
  'durability',
  runtime => {
    test('finds losses where nothing is promised, none where it is, and puts the settings back', async () => {
      await using cluster = await CliCluster.up(runtime)
      const which = ['--synchronous-commit', 'on', '--standbys', 'asynchronous,one']
      const { document, narration } = await cluster.json('durability', ...which)
      const { cells, ...rest } = document as DurabilityDocument
      expect(rest).toMatchObject({ version: 1, load: { ratePerSecond: 500, connections: 4 }, cutMs: 200 })
      expect(cells).toMatchObject([
        { synchronousCommit: 'on', standbys: 'asynchronous', promised: false, n: 1 },
        { synchronousCommit: 'on', standbys: 'one', promised: true, n: 1, lost: 0 },
      ])
      const [asynchronous, one] = cells
      expect(asynchronous!.lost, 'of some hundred that were acknowledged during the cut').toBeGreaterThan(20)
      expect(one!.outageMs!, 'nothing is acknowledged without the standby').toBeGreaterThan(rest.cutMs)
      for (const { commitMs } of cells) expect(commitMs.n).toBeGreaterThan(100)
      expect(narration).toContain('Every promise was kept')

      await expectAllStreaming(cluster)
      for (const status of await cluster.nodes())
        if (status.role === 'primary')
          expect(status).toMatchObject({ synchronousStandbyNames: '', synchronousCommit: 'on' })
    })
  },
  ['local'],
)

describeEachRuntime(
  'durability of the settings that wait for less',
  runtime => {
    test('local and off lose acknowledged writes beside a synchronous standby, remote_write in a quorum does not', async () => {
      await using cluster = await CliCluster.up(runtime)
      const which = ['--synchronous-commit', 'off,local,remote_write', '--standbys', 'quorum']
      const { document } = await cluster.json('durability', ...which)
      const lost = Object.fromEntries(
        (document as DurabilityDocument).cells.map(cell => [cell.synchronousCommit, cell.lost]),
      )
      expect(lost['off']).toBeGreaterThan(20)
      expect(lost['local']).toBeGreaterThan(20)
      expect(lost['remote_write']).toBe(0)
    })

    test('interrupted, it tells what is done by then, and puts the settings back', async () => {
      await using cluster = await CliCluster.up(runtime)
      const running = cluster.start('durability', '--standbys', 'one', '--json')
      await running.shows('off           one')
      const { cells } = (await running.interrupted()) as DurabilityDocument
      expect(cells[0]).toMatchObject({ synchronousCommit: 'off', standbys: 'one' })
      expect((await cluster.run('up')).exitCode).toBe(0)
      await expectAllStreaming(cluster)
      for (const status of await cluster.nodes())
        if (status.role === 'primary') expect(status.synchronousStandbyNames).toBe('')
    })
  },
  ['local'],
)
