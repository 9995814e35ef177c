/**
 * A delayed standby: what it promises, and getting back a table that was dropped by mistake.
 */
import { expect, test } from 'vitest'
import {
  caughtUp,
  crash,
  delayReplay,
  failover,
  pauseReplay,
  recoverTable,
  replayUntil,
  resumeReplay,
  shutDown,
  up,
  waitUntil,
  type Cluster,
  type ClusterEvent,
  openLab,
} from '../../src/index.ts'
import { nodeTo, received } from '../support/conditions.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectRefusal } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }
const HOUR_MS = 3_600_000
const ROWS = 20_000

describeEachRuntime('a delayed standby', runtime => {
  test('still has a table that was dropped, which goes back to the primary row by row', async () => {
    await using cluster = await startTestCluster(runtime)
    await cluster.query('primary', ORDERS)
    await waitUntil(caughtUp(cluster, 'replica2', (await cluster.primary()).currentLsn), LIMIT)
    expect(await delayReplay(cluster, 'replica2', { byMs: HOUR_MS, ...LIMIT })).toMatchObject({
      name: 'replica2',
      recoveryMinApplyDelayMs: HOUR_MS,
    })
    const early = await contentOf(cluster, 'primary')
    await cluster.query('primary', `INSERT INTO "Orders" VALUES (0, '2026-07-01', 'within the hour', '{}', 1, NULL)`)
    const all = await contentOf(cluster, 'primary')
    expect(all).toMatchObject({ rows: ROWS + 1 })

    const { currentLsn: justBefore } = await cluster.primary()
    await cluster.query('primary', 'DROP TABLE "Orders"')
    const { currentLsn } = await cluster.primary()
    await waitUntil(caughtUp(cluster, 'replica1', currentLsn), LIMIT)
    await waitUntil(received(cluster, 'replica2', currentLsn), LIMIT)
    await expect(contentOf(cluster, 'replica1'), 'without a delay').rejects.toMatchObject({ code: '42P01' })
    await using paused = await pauseReplay(cluster, 'replica2', LIMIT)
    expect(await cluster.nodeStatus('replica2')).toMatchObject({ replayPaused: true })
    expect(await contentOf(cluster, 'replica2'), 'as it was an hour ago').toEqual(early)

    await using stopped = await replayUntil(cluster, 'replica2', { lsn: justBefore, ...LIMIT })
    expect(await contentOf(cluster, 'replica2'), 'as it was just before the drop').toEqual(all)
    const recovered = await recoverTable(cluster, { table: '"Orders"', from: 'replica2', ...LIMIT })
    expect(recovered).toEqual({ table: '"Orders"', from: 'replica2', to: 'primary', rows: ROWS + 1 })
    expect(await contentOf(cluster, 'primary')).toEqual(all)
    expect(await rulesOf(cluster, 'primary')).toEqual(await rulesOf(cluster, 'replica2'))
    const again = await catchLabError('USAGE', () =>
      recoverTable(cluster, { table: '"Orders"', from: 'replica2', ...LIMIT }),
    )
    expect(again.message).toBe('primary has a table "Orders" already')

    await stopped[Symbol.asyncDispose]()
    await paused[Symbol.asyncDispose]()
    const going = await waitUntil(caughtUp(cluster, 'replica2', justBefore), LIMIT)
    expect(going).toMatchObject({ replayPaused: false, recoveryMinApplyDelayMs: HOUR_MS })
    await delayReplay(cluster, 'replica2', { byMs: 0, ...LIMIT })
    await waitUntil(caughtUp(cluster, 'replica2', (await cluster.primary()).currentLsn), LIMIT)
    expect(await contentOf(cluster, 'replica2'), 'it has applied the drop, and what came after').toEqual(all)
  })
})

describeEachRuntime(
  'a delayed standby',
  runtime => {
    test('keeps its delay over a restart and up, and promoted it waits for nothing', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', "CREATE TABLE written AS SELECT 'before' AS at")
      await waitUntil(caughtUp(cluster, 'replica2', (await cluster.primary()).currentLsn), LIMIT)
      await delayReplay(cluster, 'replica2', { byMs: HOUR_MS, ...LIMIT })
      await cluster.query('primary', "INSERT INTO written VALUES ('within the hour')")
      await waitUntil(received(cluster, 'replica2', (await cluster.primary()).currentLsn), LIMIT)

      await shutDown(cluster, 'replica2')
      const remarks: string[] = []
      cluster.onEvent((event: ClusterEvent) => {
        if (event.kind === 'remark') remarks.push(event.text)
      })
      await up(cluster, LIMIT)
      expect(remarks).toEqual(['replica2 applies 1h late, and streams from primary when it has applied what it has'])
      expect(await cluster.nodeStatus('replica2')).toMatchObject({
        recoveryMinApplyDelayMs: HOUR_MS,
        walReceiver: null,
      })
      expect(await written(cluster, 'replica2')).toEqual(['before'])

      await crash(cluster, 'primary')
      const { newPrimary } = await failover(cluster, 'primary', { to: 'replica2', ...LIMIT })
      expect(newPrimary).toBe('replica2')
      expect(await written(cluster, 'replica2'), 'it applied what it had received').toEqual([
        'before',
        'within the hour',
      ])
      await up(cluster, LIMIT)
      for (const node of ['primary', 'replica1', 'replica2']) {
        const [row] = await cluster.query(node, 'SHOW recovery_min_apply_delay')
        expect(row, `${node} after the delayed one was the source of a rewind`).toEqual({
          recovery_min_apply_delay: '0',
        })
      }
    })

    test('is one command; has the lock of a drop at once when no commit waits before it; is the last of equals in a failover', async () => {
      await using cli = await CliCluster.up(runtime)
      await using lab = await openLab({ environment: cli.environment })
      const { cluster } = lab
      await cluster.query('primary', 'CREATE TABLE received_by_both ()')
      const { currentLsn } = await cluster.primary()
      for (const node of ['replica1', 'replica2']) await waitUntil(caughtUp(cluster, node, currentLsn), LIMIT)
      const { stdout, stderr } = await cli.run('delay', 'replica1', '--by', '60min', '--json')
      expect(JSON.parse(stdout), stderr).toEqual({
        ...{ version: 1, runtime: 'local', node: 'replica1', recoveryMinApplyDelayMs: HOUR_MS },
      })
      expect(stderr).toContain('replica1 applies a transaction 1h after its commit')
      await cluster.query('primary', 'DROP TABLE received_by_both')
      await waitUntil(received(cluster, 'replica1', (await cluster.primary()).currentLsn), LIMIT)
      const locked = await catchLabError('NOT_READY', () =>
        recoverTable(cluster, { table: 'received_by_both', from: 'replica1', ...LIMIT }),
      )
      expect(locked.message).toBe(
        'public.received_by_both cannot be read on replica1: the lock of its drop is applied there, and its commit is not',
      )
      await shutDown(cluster, 'primary')
      expect(await failover(cluster, 'primary', LIMIT)).toMatchObject({ newPrimary: 'replica2' })
      const refused = async (fact: string, ...args: string[]): Promise<void> =>
        expectRefusal(await cli.run('delay', ...args), { exitCode: 2, fact })
      await refused('replica2 is the primary, and no standby', 'replica2', '--by', '1s')
      await refused('--by is "3 parsecs"', 'replica1', '--by', '3 parsecs')
      await refused('--by is missing', 'replica1')
      const ended = await cli.run('delay', 'replica1', '--by', '0')
      expect(ended.stdout).toContain('replica1 applies transactions as it receives them')

      const { currentLsn: target, timeline } = await cluster.primary()
      await replayUntil(cluster, 'replica1', { lsn: target, ...LIMIT }) // and never undone: the lab was killed
      await cluster.query('replica2', 'CREATE TABLE behind_the_target ()')
      await waitUntil(
        nodeTo(cluster, { node: 'replica1', what: 'stand still', is: s => s.role === 'standby' && s.replayPaused }),
        LIMIT,
      )
      await resumeReplay(cluster, 'replica1')
      expect(await cluster.nodeStatus('replica1'), 'resumed at a target it would be a primary').toMatchObject({
        ...{ role: 'standby', replayPaused: true },
      })
      expect(await up(cluster, LIMIT)).toMatchObject({ name: 'replica2', timeline })
      expect(await cluster.nodeStatus('replica1')).toMatchObject({ role: 'standby', timeline, replayPaused: false })
    })
  },
  ['local'],
)

/** A table with what COPY and INSERT may trip over, and rules. */
const ORDERS = `CREATE TABLE "Orders" (id bigint PRIMARY KEY, placed timestamptz NOT NULL, "what (exactly)" text,
  tags text[], amount numeric(12, 2) CHECK (amount >= 0), raw bytea, UNIQUE (placed, id));
CREATE INDEX ON "Orders" (lower("what (exactly)"));
INSERT INTO "Orders" SELECT i, '2026-01-01'::timestamptz + i * interval '1 minute', CASE i % 3 WHEN 0 THEN NULL WHEN 1 THEN ''
  ELSE 'it''s "' || i || '", \\ and (more)' END, ARRAY['a,b', NULL, i::text], i / 7.0, int8send(i) FROM generate_series(1, ${ROWS}) AS i`

async function contentOf(cluster: Cluster, node: string): Promise<unknown> {
  const question = `SELECT count(*)::int AS rows, md5(string_agg(o::text, '|' ORDER BY id)) AS digest FROM "Orders" AS o`
  return (await cluster.query(node, question))[0]
}

const rulesOf = (cluster: Cluster, node: string): Promise<unknown> =>
  cluster.query(
    node,
    `SELECT pg_get_constraintdef(oid) AS rule FROM pg_constraint WHERE conrelid = '"Orders"'::regclass
     UNION ALL SELECT indexdef FROM pg_indexes WHERE tablename = 'Orders'
     UNION ALL SELECT tableowner FROM pg_tables WHERE tablename = 'Orders' ORDER BY rule`,
  )

async function written(cluster: Cluster, node: string): Promise<string[]> {
  return (await cluster.query<{ at: string }>(node, 'SELECT at FROM written')).map(({ at }) => at)
}
