/**
 * Failover: what is promised when a primary is gone, and when it cannot be replaced.
 */
import { cp, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { caughtUp, crash, failover, freeze, parseLsn, runTrial } from '../../src/index.ts'
import { shutDown, up, waitUntil } from '../../src/index.ts'
import { WRITES_TABLE } from '../../src/client/writer.ts'
import type { Cluster, WholeTrial } from '../../src/index.ts'
import type { FailoverFault } from '../../src/faults/power.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  startTestCluster,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime('failover under load', drawsUpARecord, ALSO_ON_DOCKER)

describeEachRuntime('a promotion', runtime => {
  test('says what it has changed beside the roles', async () => {
    await using files = await composeFilesWith('--wal_level=logical', '--max_prepared_transactions=5')
    await using cluster = await startTestCluster(runtime, { file: files.file })
    await using session = await cluster.connect('primary', { as: 'superuser' })
    for (const statement of [
      'CREATE UNLOGGED TABLE caches (id serial)',
      'CREATE TABLE orders (id int)',
      "SELECT pg_create_logical_replication_slot('changes', 'pgoutput')",
      'BEGIN',
      'INSERT INTO orders VALUES (1)',
      "PREPARE TRANSACTION 'half'",
    ])
      await session.query(statement)
    const { record } = await runTrial(cluster, { fault: 'crash', cutMs: 50, ...LIMIT })
    expect(record).toMatchObject({
      cutMs: 50,
      labVersion: expect.stringMatching(/^\d+\.\d+\.\d+/),
      afterPromotion: { preparedTransactions: 1, sequences: 1, unloggedTables: 1, logicalSlotsGone: ['changes'] },
    })
    expect(Math.abs(Date.parse(record.at) - Date.now())).toBeLessThan(TIMEOUT_MS)
  })
})

/** The lab's own compose file with these settings instead of wal_level=replica, in a folder of its own. */
async function composeFilesWith(...settings: readonly string[]): Promise<AsyncDisposable & { readonly file: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'labtest-files-'))
  for (const name of ['primary-init', 'replica-entrypoint']) await cp(name, join(folder, name), { recursive: true })
  const text = await readFile('docker-compose.yml', 'utf8')
  expect(text).toContain('  - --wal_level=replica\n')
  const file = join(folder, 'docker-compose.yml')
  await writeFile(file, text.replace('  - --wal_level=replica\n', settings.map(setting => `  - ${setting}\n`).join('')))
  return { file, [Symbol.asyncDispose]: () => rm(folder, { recursive: true }) }
}

function drawsUpARecord(runtime: TestRuntime): void {
  test('after a crash draws up a record that adds up, and names the writes that are gone', async () => {
    await using cluster = await startTestCluster(runtime)
    const { record, history } = await failOverUnderLoad(cluster, 'crash')
    expect(record.timeline).toEqual({ before: 1, after: 2 })
    expect(await cluster.primary()).toMatchObject({ name: record.newPrimary, timeline: 2 })

    const { attempted, acknowledged, failed, indeterminate, lost, unexpected } = record.writes
    expect(attempted).toBe(history.writes.length)
    expect(attempted).toBe(acknowledged + failed + indeterminate)
    expect(unexpected).toBe(0)
    const { detectMs, fenceMs, promoteMs, firstWriteMs } = record.phases!
    expect(Math.abs(detectMs + fenceMs + promoteMs + firstWriteMs - record.outageMs!)).toBeLessThan(0.05)

    const there = await cluster.query<{ id: number }>(
      record.newPrimary,
      `SELECT id FROM ${WRITES_TABLE} WHERE run = $1`,
      {
        values: [history.run],
      },
    )
    const survivors = new Set(there.map(({ id }) => id))
    const acknowledgedIds = history.writes.flatMap(({ id, outcome }) => (outcome.kind === 'acknowledged' ? [id] : []))
    expect(record.lostIds).toEqual(acknowledgedIds.filter(id => !survivors.has(id)).sort((a, b) => a - b))
    expect(record.lostIds).toHaveLength(lost)
  })
}

describeEachRuntime('failover', runtime => {
  test('under load loses nothing after a fast shutdown', async () => {
    await using cluster = await startTestCluster(runtime)
    const { record } = await failOverUnderLoad(cluster, 'stop')
    expect(record).toMatchObject({ fault: 'stop', verdict: 'durable', lostIds: [] })
    expect(record.writes).toMatchObject({ lost: 0, unexpected: 0 })
  })
})

describeEachRuntime(
  'failover',
  runtime => {
    test('promotes the standby that received most, and loses what none received', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('primary', 'CREATE TABLE reached (id text)')
      // Stopped, not frozen: what was sent to a frozen standby waits in its socket, and is received when it thaws.
      await shutDown(cluster, 'replica1')
      await write(cluster, 'replica2 alone', 'replica2')
      await shutDown(cluster, 'replica2')
      await write(cluster, 'no standby')
      await crash(cluster, 'primary')
      await startAsStandby(cluster, 'replica1', 'replica2')

      const done = await failover(cluster, 'primary', LIMIT)
      expect(done.newPrimary).toBe('replica2')
      const [first, second] = done.candidates
      expect([first?.name, second?.name]).toEqual(['replica1', 'replica2'])
      expect(second!.lsn).toBeGreaterThan(first!.lsn)
      expect(await cluster.query('replica2', 'SELECT id FROM reached')).toEqual([{ id: 'replica2 alone' }])
    })

    test('promotes the standby that was asked for', async () => {
      await using cluster = await startTestCluster(runtime)
      await crash(cluster, 'primary')
      const done = await failover(cluster, 'primary', { ...LIMIT, to: 'replica2' })
      expect(done).toMatchObject({ oldPrimary: 'primary', newPrimary: 'replica2' })
      expect((await cluster.primary()).name).toBe('replica2')
    })

    test('does not wait for a standby that stands still, and promotes the other', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.runtime.freeze('replica1')
      await crash(cluster, 'primary')
      const { newPrimary, candidates } = await failover(cluster, 'primary', LIMIT)
      expect(newPrimary).toBe('replica2')
      expect(candidates.map(({ name }) => name)).toEqual(['replica2'])
      await up(cluster, LIMIT)
    })

    test('a standby that stands still holds up neither the questions after it nor their answers', async () => {
      await using cluster = await startTestCluster(runtime)
      await using _frozen = await freeze(cluster, 'replica2')
      const begun = performance.now()
      const roles = (await cluster.status()).map(({ role }) => role)
      expect(roles).toEqual(['primary', 'standby', 'unreachable'])
      expect(performance.now() - begun, 'it is asked once').toBeLessThan(5_000)
      await crash(cluster, 'primary')
      const { newPrimary } = await failover(cluster, 'primary', LIMIT)
      // What the failover began to open, and gave up, is not theirs.
      expect((await cluster.primary()).name).toBe(newPrimary)
    })

    test('refuses to promote what is no standby, before it waits for anything or fences', async () => {
      await using cluster = await startTestCluster(runtime)
      await catchLabError('UNKNOWN_NODE', () => failover(cluster, 'primary', { ...LIMIT, to: 'replica9' }))
      await catchLabError('NO_CANDIDATE', () => failover(cluster, 'primary', { ...LIMIT, to: 'primary' }))
      expect(await cluster.primary()).toMatchObject({ name: 'primary', timeline: 1 })
      await crash(cluster, 'primary')
      const error = await catchLabError('NO_CANDIDATE', () => failover(cluster, 'primary', { ...LIMIT, to: 'primary' }))
      expect(error.message).toMatch(
        /^primary is no standby that answers; there are: replica1 at .*, replica2 at .* on timeline 1$/,
      )
      expect(await cluster.runtime.readData('primary', 'standby.signal')).toBeUndefined()
      await catchLabError('NO_PRIMARY', () => cluster.primary())
    })

    test('of a primary that runs says so, and promotes nothing', async () => {
      await using cluster = await startTestCluster(runtime)
      const error = await catchLabError('TIMEOUT', () => failover(cluster, 'primary', { timeoutMs: 300 }))
      expect(error.message).toBe('waited 300 ms for primary to be down; last seen: primary is running')
      expect(await cluster.primary()).toMatchObject({ name: 'primary', timeline: 1 })
      await cluster.query('primary', 'CREATE TABLE still_writable ()')
    })

    test('promotes nobody beside one that somebody else has promoted', async () => {
      await using cluster = await startTestCluster(runtime)
      await crash(cluster, 'primary')
      await cluster.query('replica1', 'SELECT pg_promote()', { as: 'superuser' })
      const error = await catchLabError('NOT_READY', () => failover(cluster, 'primary', LIMIT))
      expect(error.message).toBe('replica1 accepts writes already, so nothing was promoted')
      expect((await up(cluster, LIMIT)).name).toBe('replica1')
    })

    test('without a standby left says so; up brings everything back', async () => {
      await using cluster = await startTestCluster(runtime)
      for (const node of ['replica1', 'replica2', 'primary']) await crash(cluster, node)
      const error = await catchLabError('NO_CANDIDATE', () => failover(cluster, 'primary', LIMIT))
      expect(error.message).toBe('no standby answers, so none can be promoted')
      await up(cluster, LIMIT)
    })

    test('a standby that never catches up ends the wait for it with what was seen', async () => {
      await using cluster = await startTestCluster(runtime)
      await cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' })
      await cluster.query('primary', 'CREATE TABLE not_replayed ()')
      const { currentLsn } = await cluster.primary()
      const error = await catchLabError('TIMEOUT', () =>
        waitUntil(caughtUp(cluster, 'replica1', currentLsn), { timeoutMs: 500 }),
      )
      const expected =
        /^waited 500 ms for replica1 to replay 0\/\w+; last seen: replica1 is a standby on timeline 1, replayed 0\/\w+, streaming/
      expect(error.message).toMatch(expected)
    })
  },
  ['local'],
)

describeEachRuntime(
  'failover',
  runtime => {
    test('a promotion that does not happen in time ends with what was last seen of it', async () => {
      await using cluster = await startTestCluster(runtime)
      const [startup] = await cluster.query<{ pid: number }>(
        'replica1',
        "SELECT pid FROM pg_stat_activity WHERE backend_type = 'startup'",
      )
      await crash(cluster, 'primary')
      process.kill(startup!.pid, 'SIGSTOP')
      try {
        const error = await catchLabError('TIMEOUT', () =>
          failover(cluster, 'primary', { to: 'replica1', timeoutMs: 1500 }),
        )
        expect(error.message).toMatch(
          /for replica1 to be promoted; last seen: replica1 is a standby on timeline 1, replayed 0\/\w+/,
        )
        expect(error.hint).toContain('pnpm run logs replica1')
      } finally {
        process.kill(startup!.pid, 'SIGCONT')
      }
    })
  },
  ['local'],
)

/** A client writes, the fault strikes, a standby takes over, the client writes again. */
const failOverUnderLoad = (cluster: Cluster, fault: FailoverFault): Promise<WholeTrial> =>
  runTrial(cluster, { fault, ratePerSecond: 500, ...LIMIT })

/** Writes a row on the primary, and waits until `reached` has replayed it. */
async function write(cluster: Cluster, id: string, ...reached: string[]): Promise<void> {
  await cluster.query('primary', 'INSERT INTO reached VALUES ($1)', { values: [id] })
  const { currentLsn } = await cluster.primary()
  for (const node of reached) await waitUntil(caughtUp(cluster, node, currentLsn), LIMIT)
}

async function startAsStandby(cluster: Cluster, ...nodes: string[]): Promise<void> {
  for (const node of nodes) await cluster.runtime.start(node)
  for (const node of nodes) await waitUntil(caughtUp(cluster, node, parseLsn('0/0')), LIMIT)
}
