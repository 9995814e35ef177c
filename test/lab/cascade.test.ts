/**
 * Cascading: a standby that follows a standby, what becomes of it when one above it dies, and the way back.
 */
import { expect, test } from 'vitest'
import {
  addReplica,
  cascade,
  caughtUp,
  changeSettings,
  crash,
  failover,
  standbysOf,
  streaming,
  up,
  waitUntil,
  type Cluster,
  type ClusterEvent,
  type NodeStatus,
  openLab,
} from '../../src/index.ts'
import { readUpstream } from '../../src/cluster/upstream.ts'
import { receivesNothing } from '../support/conditions.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectRefusal } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'a standby that follows a standby',
  runtime => {
    test('stands still when that one dies, comes along when it is promoted, and is brought back by up', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', 'CREATE TABLE written (at text)')
      const started = await startOf(cluster, 'replica2')

      const following = await cascade(cluster, 'replica2', { from: 'replica1', ...LIMIT })
      expect(following).toEqual({ node: 'replica2', from: 'replica1', isCascading: true, timeline: 1 })
      expect(sendersOf(await cluster.status())).toEqual({ primary: ['replica1'], replica1: ['replica2'], replica2: [] })
      expect(await slotsOf(cluster), 'the one on the primary retains nothing any more').toEqual({
        primary: { replica1: 'active', replica2: 'unused' },
        replica1: { replica2: 'active' },
        replica2: {},
      })
      await write(cluster, 'through the middle', 'replica2')

      await crash(cluster, 'replica1')
      await waitUntil(receivesNothing(cluster, 'replica2'), LIMIT)
      await cluster.query('primary', "INSERT INTO written VALUES ('while the middle was down')")
      expect(await written(cluster, 'replica2'), 'it answers reads, and stands still').toEqual(['through the middle'])
      await cluster.runtime.start('replica1')
      await waitUntil(streaming(cluster, 'replica2', 'replica1'), LIMIT)
      await write(cluster, 'after its return', 'replica2')
      expect(await written(cluster, 'replica2')).toEqual([
        'through the middle',
        'while the middle was down',
        'after its return',
      ])

      await crash(cluster, 'primary')
      const { newPrimary } = await failover(cluster, 'primary', { to: 'replica1', ...LIMIT })
      expect(newPrimary).toBe('replica1')
      expect(await waitUntil(streaming(cluster, 'replica2', 'replica1'), LIMIT)).toMatchObject({ timeline: 2 })
      await write(cluster, 'on the new timeline', 'replica2')
      expect(await written(cluster, 'replica2')).toContain('on the new timeline')

      const remarks = remarksOf(cluster)
      await up(cluster, LIMIT)
      expect(remarks).toContain('replica2 followed replica1 alone: it follows the primary again')
      expect(await startOf(cluster, 'replica2'), 'neither rewound nor cloned').toEqual(started)
      await expectStandard(cluster, 'replica1')
    })
  },
  ['local'],
)

describeEachRuntime(
  'a standby that follows a standby',
  runtime => {
    test('comes along when a third one is promoted, and can be promoted itself', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', 'CREATE TABLE written (at text)')
      await addReplica(cluster, { ...LIMIT })
      await cascade(cluster, 'replica3', { from: 'replica2', ...LIMIT })
      await crash(cluster, 'primary')
      await failover(cluster, 'primary', { to: 'replica1', ...LIMIT })
      expect(await waitUntil(streaming(cluster, 'replica2', 'replica1'), LIMIT)).toMatchObject({ timeline: 2 })
      expect(await waitUntil(streaming(cluster, 'replica3', 'replica2'), LIMIT)).toMatchObject({ timeline: 2 })
      await write(cluster, 'two steps down', 'replica3')
      expect(await written(cluster, 'replica3')).toEqual(['two steps down'])

      await crash(cluster, 'replica1')
      await failover(cluster, 'replica1', { to: 'replica3', ...LIMIT })
      expect(await waitUntil(streaming(cluster, 'replica2', 'replica3'), LIMIT)).toMatchObject({ timeline: 3 })
      await up(cluster, LIMIT)
      await expectStandard(cluster, 'replica3')
    })

    test('is one command, refused where it cannot be, and undone when the other never sends', async () => {
      await using cli = await CliCluster.up(runtime)
      await using lab = await openLab({ environment: cli.environment })
      const { cluster } = lab
      const refused = async (node: string, from: string): Promise<string> => {
        const error = await catchLabError('USAGE', () => cascade(cluster, node, { from, ...LIMIT }))
        return error.message
      }
      expect(await refused('replica1', 'replica1')).toBe('replica1 cannot follow itself')
      await cascade(cluster, 'replica2', { from: 'replica1', ...LIMIT })
      expect(await refused('replica1', 'replica2')).toBe(
        'replica2 follows replica1, so replica1 cannot follow replica2',
      )
      await catchLabError('UNKNOWN_NODE', () => cascade(cluster, 'replica9', { from: 'replica1', ...LIMIT }))
      await catchLabError('UNKNOWN_NODE', () => cascade(cluster, 'replica1', { from: 'replica9', ...LIMIT }))
      const { message, hint } = await catchLabError('UNKNOWN_NODE', () =>
        cascade(cluster, 'primary', { from: 'replica1', ...LIMIT }),
      )
      expect(message).toBe('primary is the primary, and no standby')
      expect(hint).toBe('pnpm run status shows which nodes are standbys.')

      expect(await cascade(cluster, 'replica2', { from: 'primary', ...LIMIT })).toMatchObject({
        from: 'primary',
        isCascading: false,
      })
      await expectStandard(cluster, 'primary')

      const byHand = await cli.run('cascade', 'replica2', '--from', 'replica1', '--json')
      expect(JSON.parse(byHand.stdout)).toMatchObject({
        ...{ version: 1, runtime: 'local', node: 'replica2', from: 'replica1', isCascading: true, timeline: 1 },
        ms: expect.any(Number),
      })
      const around = await cli.run('cascade', 'replica1', '--from', 'replica2')
      expectRefusal(around, { exitCode: 2, fact: 'replica2 follows replica1', hint: '--from' })
      expectRefusal(await cli.run('cascade', 'replica1'), { exitCode: 2, fact: '--from is missing' })
      const rejoined = await cli.run('rejoin', '--json')
      expect(JSON.parse(rejoined.stdout), 'it is well as it is').toMatchObject({ node: null, by: null })
      const back = await cli.run('cascade', 'replica2', '--from', 'primary')
      expect(back.stdout).toContain('replica2 streams from primary, the primary, on timeline 1')

      await refuseReplication(cluster, 'replica1')
      const error = await catchLabError('TIMEOUT', () =>
        cascade(cluster, 'replica2', { from: 'replica1', timeoutMs: 5000 }),
      )
      expect(error.message).toContain('for replica2 to stream from replica1; last seen: ')
      await waitUntil(streaming(cluster, 'replica2', 'primary'), LIMIT)
      expect((await slotsOf(cluster))['replica1'], 'the slot that was made for it').toEqual({})
      await cluster.runtime.freeze('replica1')
      await catchLabError('UNREACHABLE', () => cascade(cluster, 'replica2', { from: 'replica1', ...LIMIT }))
    })
  },
  ['local'],
)

describeEachRuntime(
  'a standby whose primary_conninfo a lab that was killed has left changed',
  runtime => {
    test('is put right by up at once', async () => {
      await using cluster = await startTestCluster(runtime)
      const before = await Promise.all(['replica1', 'replica2'].map(node => startOf(cluster, node)))
      const left = { replica1: '', replica2: 'host=127.0.0.1 port=1 user=replicator' }
      for (const [node, primary_conninfo] of Object.entries(left)) {
        await changeSettings(cluster, node, { settings: { primary_conninfo }, ...LIMIT })
        await waitUntil(receivesNothing(cluster, node), LIMIT)
      }
      await cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' })
      const remarks = remarksOf(cluster)
      await up(cluster, LIMIT)
      expect([...remarks].sort()).toEqual(
        [
          'replay was paused on replica1: it goes on',
          "replica1 had the primary_conninfo '': it follows the primary again",
          "replica2 had the primary_conninfo 'host=127.0.0.1 port=1 user=replicator': it follows the primary again",
        ].sort(),
      )
      expect(await Promise.all(['replica1', 'replica2'].map(node => startOf(cluster, node)))).toEqual(before)
      await expectStandard(cluster, 'primary')
      expect(standbysOf(await cluster.status()).map(({ replayPaused }) => replayPaused)).toEqual([false, false])
    })
  },
  ['local'],
)

/** Each node follows whoever is the primary, and `primary` has the only slots. */
async function expectStandard(cluster: Cluster, primary: string): Promise<void> {
  const all = await cluster.status()
  const others = all.map(({ name }) => name).filter(name => name !== primary)
  for (const { name } of all) expect(await readUpstream(cluster, name), name).toEqual({ kind: 'primary' })
  expect(sendersOf(all)).toEqual(Object.fromEntries(all.map(({ name }) => [name, name === primary ? others : []])))
  expect(await slotsOf(cluster)).toEqual(
    Object.fromEntries(
      all.map(({ name }) => [name, name === primary ? Object.fromEntries(others.map(other => [other, 'active'])) : {}]),
    ),
  )
}

/** From now on a node lets no standby stream from it, and everybody else in. */
async function refuseReplication(cluster: Cluster, node: string): Promise<void> {
  const as = { as: 'superuser' } as const
  const [row] = await cluster.query<{ file: string }>(node, "SELECT current_setting('hba_file') AS file", as)
  const rules = "VALUES ('host replication all all reject'), ('host all all all scram-sha-256')"
  await cluster.query(node, `COPY (${rules}) TO '${row!.file}'`, as)
  await cluster.query(node, 'SELECT pg_reload_conf()', as)
}

/** Node → who streams from it. */
const sendersOf = (all: readonly NodeStatus[]): Record<string, string[]> =>
  Object.fromEntries(
    all.map(status => [
      status.name,
      status.role === 'unreachable' ? [] : status.replication.map(({ applicationName }) => applicationName),
    ]),
  )

/** Node → its slots, and what they do. */
async function slotsOf(cluster: Cluster): Promise<Record<string, Record<string, string>>> {
  const all = await cluster.status()
  const states = (status: NodeStatus): Record<string, string> =>
    status.role === 'unreachable'
      ? {}
      : Object.fromEntries(
          status.slots.map(({ slotName, active, restartLsn }) => [
            slotName,
            active ? 'active' : restartLsn === null ? 'unused' : 'retains WAL',
          ]),
        )
  return Object.fromEntries(all.map(status => [status.name, states(status)]))
}

/** Writes a row on the primary, and waits until `node` has it. */
async function write(cluster: Cluster, at: string, node: string): Promise<void> {
  const { name } = await cluster.primary()
  await cluster.query(name, 'INSERT INTO written VALUES ($1)', { values: [at] })
  const { currentLsn } = await cluster.primary()
  await waitUntil(caughtUp(cluster, node, currentLsn), LIMIT)
}

async function written(cluster: Cluster, node: string): Promise<string[]> {
  return (await cluster.query<{ at: string }>(node, 'SELECT at FROM written')).map(({ at }) => at)
}

/** Changes when the server is started anew, so also when it is rewound or cloned. */
const startOf = (cluster: Cluster, node: string): Promise<unknown> =>
  cluster.query(node, 'SELECT pg_postmaster_start_time()::text AS started')

function remarksOf(cluster: Cluster): readonly string[] {
  const remarks: string[] = []
  cluster.onEvent((event: ClusterEvent) => {
    if (event.kind === 'remark') remarks.push(event.text)
  })
  return remarks
}
