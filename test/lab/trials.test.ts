/**
 * Failovers one after another: what they say together, and what they leave in files.
 */
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type FailoverRecord } from '../../src/index.ts'
import { runTrials } from '../../src/experiments/trials.ts'
import { errorsByCode } from '../../src/history/history.ts'
import { parseHistories } from '../../src/history/lines.ts'
import { type TrialsDocument } from '../../src/measure/trials.ts'
import { CliCluster, expectAllStreaming } from '../support/cli.ts'
import { recycleWal } from '../../src/operations/recycle-wal.ts'
import { describeEachRuntime, startTestCluster, TEST_STATE_DIR } from '../support/runtimes.ts'

describeEachRuntime('WAL between trials', runtime => {
  test('is given back on every node: no segment is older than wal_keep_size', async () => {
    await using cluster = await startTestCluster(runtime)
    await using session = await cluster.connect('primary', { as: 'superuser' })
    for (let segment = 0; segment < 14; segment++) {
      await session.query('SELECT pg_switch_wal()')
      await session.query(`SELECT pg_logical_emit_message(false, 'lab', 'x')`)
    }
    const oldest = async (node: string): Promise<number> => {
      const question = `SELECT ('x' || lpad(min(right(name, 16)), 16, '0'))::bit(64)::int8::float8 AS segment
        FROM pg_ls_waldir() WHERE name ~ '^[0-9A-F]{24}$'`
      const [row] = await cluster.query<{ segment: number }>(node, question)
      return row!.segment
    }
    const nodes = cluster.nodes.map(({ name }) => name)
    const before = Math.max(...(await Promise.all(nodes.map(oldest))))
    await recycleWal(cluster, { timeoutMs: 60_000 })
    // 14 segments and one more were begun, and 128 MB are 8 of them.
    for (const node of nodes) expect(await oldest(node), node).toBeGreaterThanOrEqual(before + 14 + 1 - 8 - 1)
  })
})

describeEachRuntime(
  'trials',
  runtime => {
    test('give the spread of the figures and every record; their histories, read back, count the same', async () => {
      await using cluster = await CliCluster.up(runtime)
      await using folder = await temporaryFolder()
      const files = { history: folder.file('history.jsonl'), report: folder.file('report.html') }
      const args = ['--trials', '3', '--rate', '500', '--history', files.history, '--report', files.report]
      const { document, narration } = await cluster.json('failover', ...args)
      const series = document as TrialsDocument
      expect(series).toMatchObject({
        ...{ version: 1, requested: 3, n: 3, fault: 'crash', load: { ratePerSecond: 500, connections: 4 } },
        outageMs: { n: 3 },
        lost: { n: 3 },
      })
      expect(series.trials.map(({ timeline }) => timeline.after)).toEqual([2, 3, 4])
      const outages = series.trials.map(({ outageMs }) => outageMs!).sort((a, b) => a - b)
      expect(series.outageMs).toEqual({ n: 3, min: outages[0], median: outages[1], max: outages[2] })
      expect(series.writes.attempted).toBe(series.trials.reduce((sum, { writes }) => sum + writes.attempted, 0))
      for (const trial of series.trials) expectWhole(trial)
      expect(narration).toContain('verdicts')
      await expectAllStreaming(cluster)

      const histories = parseHistories((await readFile(files.history, 'utf8')).split('\n'))
      expect(histories).toHaveLength(3)
      for (const [at, history] of histories.entries()) {
        const { writes, errors } = series.trials[at]!
        expect(history.writes).toHaveLength(writes.attempted)
        expect(history.writes.filter(({ outcome }) => outcome.kind === 'acknowledged')).toHaveLength(
          writes.acknowledged,
        )
        expect(errorsByCode(history)).toEqual(errors)
      }
      expect(await readFile(files.report, 'utf8')).toContain('<svg')
    })

    test('interrupted, they tell what is done by then; refused, nothing is touched', async () => {
      await using cluster = await CliCluster.up(runtime)
      const running = cluster.start('failover', '--trials', '1000', '--json')
      await running.shows('   1  primary to ')
      const { n, requested, trials } = (await running.interrupted()) as TrialsDocument
      expect(requested).toBe(1000)
      expect(n).toBeGreaterThanOrEqual(1)
      expect(trials).toHaveLength(n)
      expect((await cluster.run('up')).exitCode).toBe(0)
      await expectAllStreaming(cluster)

      const nowhere = join(TEST_STATE_DIR, 'nowhere', 'report.html')
      const refused = await cluster.run('failover', '--report', nowhere)
      expect(refused.exitCode).toBe(2)
      expect(refused.stderr).toContain(`error: cannot write ${nowhere}`)
      expect(existsSync(nowhere)).toBe(false)
      const both = await cluster.run('failover', '--trials', '2', '--no-rejoin', '--json')
      expect(both.exitCode).toBe(2)
      expect(both.stderr).toContain('error: --to and --no-rejoin are for one failover')
    })

    test('that one of them ends early are told as far as they went, and why', async () => {
      await using cluster = await startTestCluster(runtime)
      const failures: unknown[] = []
      const onFailure = (error: unknown): unknown => failures.push(error)
      // In the second trial replica1 is the primary already.
      const series = { fault: 'crash', to: 'replica1', trials: 3, timeoutMs: 60_000 } as const
      expect(await runTrials(cluster, { ...series, onFailure })).toHaveLength(1)
      expect(failures).toEqual([expect.objectContaining({ message: expect.stringContaining('replica1') as string })])
    })

    test('what was measured is told, whatever comes after it: here Ctrl-C, with the command that made it', async () => {
      await using cluster = await CliCluster.up(runtime)
      const running = cluster.start('failover', '--rate', '100', '--json')
      await running.shows('The old primary comes back')
      const record = (await running.interrupted()) as FailoverRecord & { command: string }
      expect(record).toMatchObject({ command: 'failover --rate 100 --json', newPrimary: expect.any(String) as string })
      expect(record.outageMs).toBeGreaterThan(0)
    })
  },
  ['local'],
)

/** Fields that only real servers can fill. */
function expectWhole({
  lagAtFault,
  forkLsn,
  walBytesLost,
  settings,
  latencyMs,
  machine,
  ...trial
}: FailoverRecord): void {
  expect(Object.keys(lagAtFault).sort()).toEqual(
    ['primary', 'replica1', 'replica2'].filter(name => name !== trial.oldPrimary),
  )
  const number: unknown = expect.any(Number)
  for (const lag of Object.values(lagAtFault)) {
    expect(lag).toEqual({ bytes: number, ms: number, sampleAgeMs: number })
    expect(lag.sampleAgeMs, 'it was seen before the fault').toBeGreaterThan(0)
  }
  expect(forkLsn).toMatch(/^[0-9A-F]+\/[0-9A-F]+$/)
  expect(walBytesLost).toEqual(number)
  expect(settings).toMatchObject({ synchronous_commit: 'on', wal_level: 'replica', fsync: 'on' })
  expect(latencyMs).toMatchObject({ n: trial.writes.acknowledged })
  expect(machine.node).toBe(process.versions.node)
}

interface Folder extends AsyncDisposable {
  file(name: string): string
}

async function temporaryFolder(): Promise<Folder> {
  await mkdir(TEST_STATE_DIR, { recursive: true })
  const path = await mkdtemp(join(TEST_STATE_DIR, 'files-'))
  return {
    file: name => join(path, name),
    [Symbol.asyncDispose]: () => rm(path, { recursive: true, force: true }),
  }
}
