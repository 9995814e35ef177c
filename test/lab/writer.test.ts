/**
 * The client: what it promises about the history it records.
 */
import { describe, expect, test } from 'vitest'
import {
  checkHistory,
  crash,
  failover,
  met,
  notMet,
  readSurvivors,
  startWriter,
  waitUntil,
  WRITES_TABLE,
} from '../../src/index.ts'
import type { Cluster, Condition, Write, Writer } from '../../src/index.ts'
import { describeEachRuntime, shareTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'the writer',
  runtime => {
    const shared = shareTestCluster(runtime)

    test('is an open loop: what is due while nobody answers is attempted all the same', async () => {
      const cluster = await shared()
      const ratePerSecond = 200
      await using writer = await startWriter(cluster, { ratePerSecond, writeTimeoutMs: 400 })
      await writer.acknowledges(50, LIMIT)
      await cluster.runtime.freeze('primary')
      const frozenAt = performance.now()
      await waitUntil(timedOutWrite(writer), LIMIT)
      await cluster.runtime.thaw('primary')
      const thawedAt = performance.now()
      await waitUntil(attemptedAllDueBy(writer, thawedAt), LIMIT)

      const { writes, startedAt } = await writer.stop()
      const inOrder = [...writes].sort((a, b) => a.id - b.id)
      expect(
        inOrder.map(({ id }) => id),
        'unique, and without a gap',
      ).toEqual(inOrder.map((_, at) => at))
      for (const { id, dueAt } of writes) expect(dueAt).toBeCloseTo(startedAt + (id * 1000) / ratePerSecond, 3)
      expect(writes.filter(isOutOfOrder), 'due, then sent, then settled').toEqual([])
      const dueMeanwhile = writes.filter(({ dueAt }) => dueAt > frozenAt && dueAt <= thawedAt).length
      const expected = ((thawedAt - frozenAt) * ratePerSecond) / 1000
      expect(Math.abs(dueMeanwhile - expected)).toBeLessThanOrEqual(1)
    })

    test('gives up on a primary that does not answer by its own limit, and says that the write may have happened', async () => {
      const cluster = await shared()
      await using writer = await startWriter(cluster, { writeTimeoutMs: 400 })
      await writer.acknowledges(20, LIMIT)
      await cluster.runtime.freeze('primary')
      const { outcome, sentAt, settledAt } = await waitUntil(timedOutWrite(writer), LIMIT)
      expect(outcome).toEqual({ kind: 'indeterminate', code: 'ETIMEDOUT' })
      expect(settledAt - sentAt).toBeGreaterThanOrEqual(399)
      await cluster.runtime.thaw('primary')
      await writer.acknowledges(20, LIMIT)
    })

    test('finds the new primary after a failover, and its writes are there', async () => {
      const cluster = await shared()
      await using writer = await startWriter(cluster)
      await writer.acknowledges(20, LIMIT)
      await crash(cluster, 'primary')
      const { newPrimary, promotedAt } = await failover(cluster, 'primary', LIMIT)
      await writer.acknowledges(20, LIMIT)
      const history = await writer.stop()
      expect((await cluster.primary()).name).toBe(newPrimary)
      const since = history.writes.filter(
        ({ sentAt, outcome }) => sentAt > promotedAt && outcome.kind === 'acknowledged',
      )
      const survivors = await readSurvivors(cluster, history.run)
      expect(since.length).toBeGreaterThan(0)
      expect(since.filter(({ id }) => survivors?.get(id) !== 1)).toEqual([])
    })

    test('leaves a table in which a write that was done twice, and one that nobody sent, are seen', async () => {
      const cluster = await shared()
      await using writer = await startWriter(cluster)
      await writer.acknowledges(20, LIMIT)
      const history = await writer.stop()
      const again = `INSERT INTO ${WRITES_TABLE} (run, id) VALUES ('${history.run}', 3), ('${history.run}', 1000000)`
      await cluster.query('primary', again, { as: 'superuser' })
      const findings = checkHistory(history, await readSurvivors(cluster, history.run), { faultHappened: true })
      expect(findings).toMatchObject({ verdict: 'inconsistent', duplicateIds: [3], unexpectedIds: [1000000] })
    })

    test('over thirty connections draws no warning of a leak', async () => {
      const cluster = await shared()
      const warnings: string[] = []
      const note = ({ message }: Error): unknown => warnings.push(message)
      process.on('warning', note)
      try {
        const { signal } = new AbortController()
        await using writer = await startWriter(cluster, { connections: 30, ratePerSecond: 1_000, signal })
        await writer.acknowledges(500, LIMIT)
      } finally {
        process.off('warning', note)
      }
      expect(warnings).toEqual([])
    })

    test('stops once: a second stop returns the same frozen history', async () => {
      const cluster = await shared()
      await using writer = await startWriter(cluster)
      await writer.acknowledges(20, LIMIT)
      const [first, second] = await Promise.all([writer.stop(), writer.stop()])
      expect(second).toEqual(first)
      expect(await writer.stop()).toEqual(first)
      expect(Object.isFrozen(first)).toBe(true)
    })

    describe('leaves no connection behind', () => {
      test('when it is disposed of while it writes', async () => {
        const cluster = await shared()
        await writeForAMoment(cluster)
        await waitUntil(noConnection(cluster), LIMIT)
      })

      test('when it is disposed of while it looks for a primary that is gone', async () => {
        const cluster = await shared()
        await using writer = await startWriter(cluster)
        await writer.acknowledges(20, LIMIT)
        await crash(cluster, 'primary')
        await waitUntil(refused(writer), LIMIT)
        await writer.stop()
        await waitUntil(noConnection(cluster), LIMIT)
      })
    })
  },
  ['local'],
)

const isOutOfOrder = ({ dueAt, sentAt, settledAt }: Write): boolean => !(dueAt <= sentAt && sentAt <= settledAt)

async function writeForAMoment(cluster: Cluster): Promise<void> {
  await using writer = await startWriter(cluster)
  await writer.acknowledges(20, LIMIT)
}

const timedOutWrite = (writer: Writer): Condition<Write> => ({
  what: 'a write that had no answer in time',
  observe: async () => {
    const { writes } = writer.snapshot()
    const found = writes.find(({ outcome }) => outcome.kind === 'indeterminate')
    return found === undefined ? notMet(`${writes.length} writes`) : met(found)
  },
})

const attemptedAllDueBy = (writer: Writer, instant: number): Condition<undefined> => ({
  what: 'every write that was due by then to be settled',
  observe: async () => {
    // Each of the four connections takes its writes in order, so the four newest are all past it.
    const newest = writer.snapshot().writes.slice(-4)
    return newest.every(({ dueAt }) => dueAt > instant) ? met(undefined) : notMet(`due ${newest[0]?.dueAt}`)
  },
})

const refused = (writer: Writer): Condition<undefined> => ({
  what: 'the client to be refused by the node that is gone',
  observe: async () => {
    const codes = writer.snapshot().connectionErrors.map(({ code }) => code)
    return codes.includes('ECONNREFUSED') ? met(undefined) : notMet(codes.join(', '))
  },
})

/** On no server that answers. */
const noConnection = (cluster: Cluster): Condition<undefined> => ({
  what: "the client's connections to be gone",
  observe: async () => {
    const question = "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'lab writer'"
    const up = (await cluster.status()).filter(({ role }) => role !== 'unreachable')
    const counts = await Promise.all(up.map(({ name }) => cluster.query<{ count: number }>(name, question)))
    const seen = counts.map(([row]) => row?.count).join(', ')
    return counts.every(([row]) => row?.count === 0) ? met(undefined) : notMet(seen)
  },
})
