/**
 * Settings that the lab changes for a while: put back on every node, also on one that was down by then.
 */
import { expect, test } from 'vitest'
import {
  changeSettings,
  cutFromWal,
  freeze,
  met,
  notMet,
  openLab,
  shutDown,
  temporarySettings,
  temporarySynchronous,
  up,
  waitUntil,
  type Cluster,
} from '../../src/index.ts'
import { CliCluster } from '../support/cli.ts'
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

  test.each(['thaw', 'up'])('are read by a node that stood still when they were put back, after %s', async way => {
    await using cluster = await startTestCluster(runtime)
    await using changed = await temporarySettings(cluster, 'replica1', { settings: { work_mem: '8MB' }, ...LIMIT })
    await using frozen = await freeze(cluster, 'replica1')
    await changed[Symbol.asyncDispose]()
    await (way === 'thaw' ? frozen[Symbol.asyncDispose]() : up(cluster, LIMIT))
    const shown = (): Promise<{ work_mem: string }[]> => cluster.query('replica1', 'SHOW work_mem')
    await waitUntil(
      {
        what: 'work_mem to be what it was',
        observe: async () => {
          const [row] = await shown()
          return row?.work_mem === '4MB' ? met(undefined) : notMet(`it is ${row?.work_mem}`)
        },
      },
      { timeoutMs: 10_000 },
    )
  })
})

describeEachRuntime(
  'a command that changes settings for a while',
  runtime => {
    test('and is killed leaves what they were: up puts it back on every node, and says so', async () => {
      await using cluster = await CliCluster.up(runtime)
      await cluster.json('sync', 'quorum')
      const lesson = cluster.start('lesson', 'split-brain')
      await lesson.shows('Commits wait for no standby in this lesson')
      await lesson.shows('$ ') // something that comes after the settings
      lesson.kill()
      await lesson.ended
      const up = await cluster.run('up')
      expect(up).toMatchObject({ exitCode: 0 })
      expect(up.stdout + up.stderr).toMatch(
        /had settings of a command that did not end: synchronous_standby_names is ANY 1 \(/,
      )
      await using lab = await openLab({ environment: cluster.environment })
      for (const [, names] of await settingsOf(lab.cluster))
        expect(names).toBe('ANY 1 ("primary", "replica1", "replica2")')
      expect((await cluster.run('up')).stdout, 'once').not.toContain('did not end')
    })
  },
  ['local'],
)

describeEachRuntime(
  'settings changed for a while, one change within another',
  runtime => {
    test('end as ALTER SYSTEM had them before each, also when up comes between', async () => {
      await using cluster = await startTestCluster(runtime)
      const workMem = async (): Promise<unknown> => {
        const rows = await cluster.query(
          'primary',
          "SELECT current_setting('work_mem') AS is, current_setting('lab.former', true) AS former",
        )
        return rows[0]
      }
      await changeSettings(cluster, 'primary', { settings: { work_mem: '5MB' }, ...LIMIT })
      {
        await using _outer = await temporarySettings(cluster, 'primary', { settings: { work_mem: '6MB' }, ...LIMIT })
        {
          await using _inner = await temporarySettings(cluster, 'primary', { settings: { work_mem: '7MB' }, ...LIMIT })
          await up(cluster, LIMIT)
          expect(await workMem()).toMatchObject({ is: '7MB', former: expect.stringContaining('5MB') })
        }
        expect(await workMem()).toMatchObject({ is: '6MB', former: expect.stringContaining('5MB') })
      }
      expect(await workMem()).toEqual({ is: '5MB', former: '' })
    })
  },
  ['local'],
)

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
