/**
 * Rejoin: how a former primary becomes a standby of today's primary.
 */
import { expect, test } from 'vitest'
import {
  caughtUp,
  crash,
  failover,
  hasRole,
  healthy,
  parseLsn,
  readKept,
  readPastFork,
  rejoin,
  standbysOf,
  shutDown,
  waitUntil,
} from '../../src/index.ts'
import { inflict } from '../../src/faults/power.ts'
import type { Cluster, ClusterEvent, PrimaryStatus } from '../../src/index.ts'
import type { FailoverFault } from '../../src/faults/power.ts'
import {
  describeEachRuntime,
  ON_EVERY_RUNTIME,
  startTestCluster,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'
import { catchLabError } from '../support/catch-lab-error.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('a former primary', comesBack, ON_EVERY_RUNTIME)

function comesBack(runtime: TestRuntime): void {
  const by = runtime === 'npm' ? 'clone' : 'rewind'

  test(`comes back by ${by} after a crash, without what only it had written`, async () => {
    await using cluster = await startTestCluster(runtime)
    await cluster.query('primary', "CREATE TABLE written AS SELECT 'before' AS at")
    await divergeAndCrash(cluster)
    await failover(cluster, 'primary', LIMIT)
    const primary = await cluster.primary()
    await cluster.query(primary.name, "INSERT INTO written VALUES ('after')")

    const rejoined = await rejoin(cluster, 'primary', LIMIT)
    expect(rejoined).toMatchObject({ node: 'primary', by })
    if (by === 'clone') expect(rejoined.why).toMatch(/PostgreSQL comes without/)
    const { currentLsn } = await waitUntil(healthy(cluster), LIMIT)
    await waitUntil(caughtUp(cluster, 'primary', currentLsn), LIMIT)
    expect(await cluster.query('primary', 'SELECT at FROM written')).toEqual([{ at: 'before' }, { at: 'after' }])
  })
}

describeEachRuntime('a former primary', runtime => {
  test('comes back after a fast shutdown, too', async () => {
    await using cluster = await startTestCluster(runtime)
    const primary = await replacePrimary(cluster, 'stop')
    expect(await rejoin(cluster, 'primary', LIMIT)).toMatchObject({ node: 'primary', by: 'rewind' })
    expect(await waitUntil(healthy(cluster), LIMIT)).toMatchObject({ name: primary.name, timeline: 2 })
  })

  test('whose rejoin was interrupted never starts writable, and is cloned anew', async () => {
    await using cluster = await startTestCluster(runtime)
    const primary = await replacePrimary(cluster, 'crash')
    await cluster.runtime.runOffline('primary', [
      'bash',
      '-c',
      'touch "$PGDATA/half-rewound"; rm "$PGDATA/standby.signal"',
    ])
    await cluster.runtime.discard('primary')
    await cluster.runtime.start('primary')
    // Were it writable for a moment, this would throw SPLIT_BRAIN.
    expect((await waitUntil(healthy(cluster), LIMIT)).name).toBe(primary.name)
    await shutDown(cluster, 'primary')
    const { stdout } = await cluster.runtime.runOffline('primary', ['bash', '-c', 'ls "$PGDATA"'])
    expect(stdout).toContain('standby.signal')
    expect(stdout).not.toContain('half-rewound')
  })

  test('leaves the slots right: one in use for each other node on the primary, none on a standby', async () => {
    await using cluster = await startTestCluster(runtime)
    await replacePrimary(cluster, 'crash')
    await rejoin(cluster, 'primary', LIMIT)
    await waitUntil(healthy(cluster), LIMIT)
    const all = await cluster.status()
    const { slots } = await cluster.primary()
    const others = standbysOf(all).map(({ name }) => name)
    expect(others).toHaveLength(2)
    expect(slots.map(({ slotName, active }) => ({ slotName, active }))).toEqual(
      others.map(slotName => ({ slotName, active: true })),
    )
    for (const standby of standbysOf(all)) expect(standby.slots, standby.name).toEqual([])
  })
})

describeEachRuntime(
  'a node that was promoted by hand beside a primary which goes on',
  runtime => {
    test('is past the fork of its own history: that is counted, named and kept before it is rewound', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', "CREATE TABLE written AS SELECT 'before' AS at")
      await promoteBeside(cluster, 'replica1', "INSERT INTO written VALUES ('only here')")

      const past = await readPastFork(cluster, 'replica1', LIMIT)
      expect(past).toMatchObject({ timeline: 2, forkTimeline: 1, primary: { name: 'primary', timeline: 1 } })
      expect(past!.relations!.map(({ name }) => name)).toContain('public.written')

      const events: ClusterEvent[] = []
      cluster.onEvent(event => events.push(event))
      // The container's name, where there is one, is a name of the node.
      const named = runtime === 'docker' ? `${cluster.topology.project}_replica1` : 'replica1'
      expect(cluster.node(named).name).toBe('replica1')
      const { by, kept } = await rejoin(cluster, named, LIMIT)
      expect(by).toBe('rewind')
      expect(kept).toMatchObject({ node: 'replica1', timeline: 2, forkLsn: past!.forkLsn, walBytes: past!.walBytes })
      expect(kept!.records).toBeGreaterThan(0)
      expect(await readKept(cluster)).toEqual([kept])
      expect(textsOf(events)).toContain('replica1 keeps what only it has')
      expect(await cluster.query('replica1', 'SELECT at FROM written')).toEqual([{ at: 'before' }])

      // pg_rewind leaves a segment of the abandoned timeline, which would be taken for the newest.
      await crash(cluster, 'primary')
      const { timeline } = await failover(cluster, 'primary', { ...LIMIT, to: 'replica1' })
      expect(timeline.before).toBe(1)
    })

    test('has nothing kept where that is not wanted', async () => {
      await using cluster = await startTestCluster(runtime)
      await promoteBeside(cluster, 'replica1', 'CREATE TABLE only_here ()')
      expect(await rejoin(cluster, 'replica1', { ...LIMIT, keep: false })).toMatchObject({ by: 'rewind', kept: null })
      expect(await readKept(cluster)).toEqual([])
    })
  },
  ['docker', 'local'],
)

describeEachRuntime(
  'two nodes that were promoted at one position',
  runtime => {
    test('are told apart by their WAL: what the other has is kept, and it is cloned, since pg_rewind would do nothing', async () => {
      await using cluster = await startTestCluster(runtime)
      const { currentLsn } = await cluster.primary()
      for (const node of ['replica1', 'replica2']) await waitUntil(caughtUp(cluster, node, currentLsn), LIMIT)
      await crash(cluster, 'primary')
      // At once: a standby that hears of the other's promotion chooses the next number.
      const promoteAndWrite = async (node: string): Promise<void> => {
        await cluster.query(node, 'SELECT pg_promote()')
        expect(await waitUntil(hasRole(cluster, node, 'primary'), LIMIT)).toMatchObject({ timeline: 2 })
        await cluster.query(node, `CREATE TABLE made_by AS SELECT '${node}' AS name`)
      }
      await Promise.all(['replica1', 'replica2'].map(promoteAndWrite))
      await cluster.query('replica1', 'CREATE TABLE more AS SELECT generate_series(1, 1000) AS id')
      await shutDown(cluster, 'replica2')

      const { by, why, kept } = await rejoin(cluster, 'replica2', LIMIT)
      expect(why).toContain('of the same number')
      expect({ by, kept: kept?.records }).toEqual({ by: 'clone', kept: expect.any(Number) })
      expect(await cluster.query('replica2', 'SELECT name FROM made_by')).toEqual([{ name: 'replica1' }])
    })
  },
  ['local'],
)

describeEachRuntime(
  'a rejoin',
  runtime => {
    test('of the primary is refused, before anything is stopped', async () => {
      await using cluster = await startTestCluster(runtime)
      await catchLabError('USAGE', () => rejoin(cluster, 'primary', LIMIT))
      expect(await cluster.primary()).toMatchObject({ name: 'primary', timeline: 1 })
    })
  },
  ['local'],
)

describeEachRuntime(
  'a rewind that is interrupted',
  runtime => {
    test('is not taken for one that failed: nothing is discarded, and what was there is kept', async () => {
      await using cluster = await startTestCluster(runtime)
      await promoteBeside(cluster, 'replica1', 'CREATE TABLE only_here ()')
      const interrupt = new AbortController()
      const events: ClusterEvent[] = []
      cluster.onEvent(event => {
        events.push(event)
        if (event.kind === 'command' && event.text.startsWith('pg_rewind')) setImmediate(() => interrupt.abort())
      })
      await catchLabError('INTERRUPTED', () => rejoin(cluster, 'replica1', { ...LIMIT, signal: interrupt.signal }))
      expect(textsOf(events)).not.toContain('cloned anew')
      expect(await cluster.runtime.state('replica1')).toBe('stopped')
      expect(await readKept(cluster)).toHaveLength(1)
    })
  },
  ['docker', 'local'],
)

describeEachRuntime(
  'a rewind',
  runtime => {
    test('that ends in its middle leaves a node that is cloned anew, never one that starts writable', async () => {
      await using cluster = await startTestCluster(runtime)
      await replacePrimary(cluster, 'crash')
      const nowhere = 'host=127.0.0.1 port=1 user=lab dbname=testdb'
      const { exitCode } = await cluster.runtime.runOffline('primary', [
        'bash',
        '-c',
        `exec bash "$SCRIPTS/rewind.sh" '${nowhere}'`,
      ])
      expect(exitCode).not.toBe(0)
      await cluster.runtime.start('primary')
      await waitUntil(healthy(cluster), LIMIT)
      expect(await cluster.runtime.log('primary', { lines: 200 })).toContain('cloning from the primary')
    })
  },
  ['local'],
)

describeEachRuntime(
  'one cluster',
  runtime => {
    test('is healthy after ten failovers in a row, and has every row that was replayed before each', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', 'CREATE TABLE rounds (round integer)')
      const faults: readonly FailoverFault[] = ['crash', 'stop']
      const rounds = Array.from({ length: 10 }, (_, at) => at + 1)
      for (const round of rounds) await failOverAndBack(cluster, round, faults[round % 2]!)
      expect((await waitUntil(healthy(cluster), LIMIT)).timeline).toBe(11)
      for (const { name } of cluster.nodes) {
        expect(await cluster.query(name, 'SELECT round FROM rounds ORDER BY round'), name).toEqual(
          rounds.map(round => ({ round })),
        )
      }
    })
  },
  ['local'],
)

/** A split brain: both accept writes, and each has some that the other has not. */
async function promoteBeside(cluster: Cluster, node: string, statement: string): Promise<void> {
  const { name, currentLsn } = await cluster.primary()
  await waitUntil(caughtUp(cluster, node, currentLsn), LIMIT)
  await cluster.query(node, 'SELECT pg_promote()')
  await waitUntil(hasRole(cluster, node, 'primary'), LIMIT)
  await cluster.query(node, statement)
  await shutDown(cluster, node)
  await cluster.query(name, 'CREATE TABLE only_on_the_primary ()')
}

async function replacePrimary(cluster: Cluster, fault: FailoverFault): Promise<PrimaryStatus> {
  const { name } = await cluster.primary()
  await inflict(cluster, name, { fault })
  await failover(cluster, name, LIMIT)
  return await cluster.primary()
}

/** The primary acknowledges a row that no standby receives, and crashes. */
async function divergeAndCrash(cluster: Cluster): Promise<void> {
  const standbys = ['replica1', 'replica2']
  const { currentLsn } = await cluster.primary()
  for (const node of standbys) await waitUntil(caughtUp(cluster, node, currentLsn), LIMIT)
  for (const node of standbys) await shutDown(cluster, node)
  await cluster.query('primary', "INSERT INTO written VALUES ('only here')")
  await crash(cluster, 'primary')
  for (const node of standbys) await cluster.runtime.start(node)
  for (const node of standbys) await waitUntil(caughtUp(cluster, node, parseLsn('0/0')), LIMIT)
}

async function failOverAndBack(cluster: Cluster, round: number, fault: FailoverFault): Promise<void> {
  const before = await cluster.primary()
  await cluster.query(before.name, 'INSERT INTO rounds VALUES ($1)', { values: [round] })
  const { currentLsn } = await cluster.primary()
  for (const { name } of cluster.nodes) {
    if (name !== before.name) await waitUntil(caughtUp(cluster, name, currentLsn), LIMIT)
  }
  const primary = await replacePrimary(cluster, fault)
  expect(primary.timeline).toBe(before.timeline + 1)
  await rejoin(cluster, before.name, LIMIT)
  await waitUntil(healthy(cluster), LIMIT)
}

const textsOf = (events: readonly ClusterEvent[]): string =>
  events.map(event => ('text' in event ? event.text : '')).join('\n')
