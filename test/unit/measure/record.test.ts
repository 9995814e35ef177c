import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { failoverRecord, type FailoverEvidence } from '../../../src/measure/record.ts'
import { summaryOf } from '../../../src/measure/statistics.ts'
import { parseLsn } from '../../../src/postgres/lsn.ts'
import type { History, Outcome, Write } from '../../../src/history/history.ts'

const acknowledged: Outcome = { kind: 'acknowledged' }
const failed: Outcome = { kind: 'failed', code: '25006' }
const indeterminate: Outcome = { kind: 'indeterminate', code: '57P01' }

const write = (id: number, settledAt: number, outcome: Outcome = acknowledged): Write => ({
  id,
  dueAt: settledAt - 4,
  sentAt: settledAt - 2,
  settledAt,
  outcome,
})
const historyOf = (...writes: readonly Write[]): History => ({
  run: 'r',
  writes,
  connectionErrors: [{ at: 60, code: 'ECONNREFUSED' }],
  startedAt: 0,
  stoppedAt: 1000,
})
const survivors = (...ids: readonly number[]): Map<number, number> =>
  ids.reduce((found, id) => found.set(id, (found.get(id) ?? 0) + 1), new Map<number, number>())

const evidence = (differing: Partial<FailoverEvidence> = {}): FailoverEvidence => ({
  runtime: 'local',
  postgresVersion: '17.2',
  fault: 'crash',
  synchronousCommit: 'on',
  forkLsn: parseLsn('0/401D800'),
  walBytesLost: 8192,
  load: { ratePerSecond: 200, connections: 4 },
  lagAtFault: {},
  settings: { fsync: 'on' },
  ...{ at: '2026-01-01T00:00:00.000Z', labVersion: '0.1.0', cutMs: 0, afterPromotion: null },
  machine: { platform: 'linux x64', cpus: 4, node: '22.0.0' },
  failover: {
    oldPrimary: 'primary',
    newPrimary: 'replica2',
    timeline: { before: 1, after: 2 },
    detectedAt: 40,
    fencedAt: 50,
    promotedAt: 70,
  },
  history: historyOf(write(0, 20), write(1, 30, indeterminate), write(2, 45, failed), write(3, 90)),
  survivors: survivors(1, 3),
  ...differing,
})

describe('the failover record', () => {
  test('tells what was done, what the client was told, and what is in the database now', () => {
    expect(failoverRecord(evidence())).toMatchObject({
      version: 1,
      oldPrimary: 'primary',
      newPrimary: 'replica2',
      timeline: { before: 1, after: 2 },
      forkLsn: 0x401d800n,
      outageMs: 70,
      phases: { detectMs: 20, fenceMs: 10, promoteMs: 20, firstWriteMs: 20 },
      writes: { attempted: 4, acknowledged: 2, failed: 1, indeterminate: 1, lost: 1, recovered: 1, unexpected: 0 },
      lostIds: [0],
      errors: { '25006': 1, '57P01': 1, ECONNREFUSED: 1 },
      verdict: 'lost-writes',
    })
  })

  test('has the latency of acknowledged writes alone, from when each was due', () => {
    const slow = { ...write(1, 90), dueAt: 22 }
    const history = historyOf(write(0, 20), slow, { ...write(2, 45, failed), dueAt: 0 })
    expect(failoverRecord(evidence({ history })).latencyMs).toMatchObject({ n: 2, min: 4, p50: 36, max: 68 })
  })

  test.each([
    ['before the fence', [write(0, 60), write(1, 90)]],
    ['after it', [write(0, 10), write(1, 20)]],
    ['at all', [write(0, 10, indeterminate), write(1, 60, failed)]],
  ])('has no outage, and no phases, when nothing was acknowledged %s', (_, writes) => {
    const record = failoverRecord(evidence({ history: historyOf(...writes) }))
    expect(record).toMatchObject({ outageMs: null, phases: null })
  })

  test('of a client that was never told anything is unknown, with no latency', () => {
    const record = failoverRecord(evidence({ history: historyOf(), survivors: survivors() }))
    expect(record).toMatchObject({ verdict: 'unknown', latencyMs: null, lostIds: [], writes: { attempted: 0 } })
  })

  test('is unknown, and claims no loss, when the survivors could not be read', () => {
    const record = failoverRecord(evidence({ survivors: undefined }))
    expect(record).toMatchObject({ verdict: 'unknown', writes: { acknowledged: 2, lost: 0, recovered: 0 } })
  })

  test('carries what contradicts the history, by id: a refused write that is there, and one that is there twice', () => {
    expect(failoverRecord(evidence({ survivors: survivors(0, 2, 3, 3) }))).toMatchObject({
      verdict: 'inconsistent',
      writes: { lost: 0, unexpected: 1, duplicates: 1 },
      unexpectedIds: [2],
      duplicateIds: [3],
    })
  })

  test('keeps a fork and WAL that could not be read as unknown, not as 0', () => {
    expect(failoverRecord(evidence({ forkLsn: null, walBytesLost: null }))).toMatchObject({
      forkLsn: null,
      walBytesLost: null,
    })
  })

  test('rounds every time to a hundredth of a millisecond', () => {
    const lagAtFault = { replica1: { bytes: 312, ms: 1.23456, sampleAgeMs: 0.005 } }
    const history = historyOf(write(0, 20.1234), { ...write(1, 90.5678), dueAt: 80.0001 })
    const record = failoverRecord(evidence({ lagAtFault, history, survivors: survivors(0, 1) }))
    expect(record.outageMs).toBe(70.44)
    expect(record.phases).toEqual({ detectMs: 19.88, fenceMs: 10, promoteMs: 20, firstWriteMs: 20.57 })
    expect(record.lagAtFault).toEqual({ replica1: { bytes: 312, ms: 1.23, sampleAgeMs: 0.01 } })
    expect(record.latencyMs).toMatchObject({ n: 2, min: 4, max: 10.57 })
  })

  test('adds up, for any history, any survivors and any milestones', () => {
    const at = fc.double({ min: 0, max: 1000, noNaN: true })
    const entry = fc.tuple(at, fc.constantFrom(acknowledged, failed, indeterminate))
    const milestones = fc.tuple(at, at, at).map(instants => instants.sort((a, b) => a - b))
    fc.assert(
      fc.property(fc.array(entry), milestones, fc.array(fc.nat(15)), (entries, instants, ids) => {
        const [detectedAt, fencedAt, promotedAt] = instants
        const history = historyOf(...entries.map(([settledAt, outcome], id) => write(id, settledAt, outcome)))
        const failover = { ...evidence().failover, detectedAt, fencedAt, promotedAt }
        const record = failoverRecord(evidence({ history, failover, survivors: survivors(...ids) }))
        const { writes, phases, outageMs, latencyMs } = record
        expect(writes.acknowledged + writes.failed + writes.indeterminate).toBe(writes.attempted)
        expect(writes.attempted).toBe(entries.length)
        expect(writes.lost).toBe(record.lostIds.length)
        expect(writes.unexpected).toBe(record.unexpectedIds.length)
        expect(writes.duplicates).toBe(record.duplicateIds.length)
        expect(record.verdict === 'inconsistent').toBe(writes.unexpected + writes.duplicates > 0)
        if (record.verdict !== 'inconsistent') expect(record.verdict === 'lost-writes').toBe(writes.lost > 0)
        // Each survivor is an acknowledged write, a recovered one, or one that should not be there.
        expect(writes.acknowledged - writes.lost + writes.recovered + writes.unexpected).toBe(new Set(ids).size)
        expect(latencyMs?.n ?? 0).toBe(writes.acknowledged)
        expect(phases === null).toBe(outageMs === null)
        if (phases === null || outageMs === null) return
        const parts = Object.values(phases) as number[]
        // Five figures, each rounded to a hundredth.
        expect(Math.abs(parts.reduce((sum, part) => sum + part, 0) - outageMs)).toBeLessThan(5 * 0.005 + 1e-9)
        for (const ms of [outageMs, ...parts]) expect(Math.round(ms * 100) / 100).toBe(ms)
      }),
    )
  })

  test('has the percentiles of all latencies, each rounded', () => {
    const history = historyOf(...[1.111, 2.222, 3.333].map((ms, id) => ({ ...write(id, 10 + ms), dueAt: 10 })))
    const { latencyMs } = failoverRecord(evidence({ history }))
    const exact = summaryOf([1.111, 2.222, 3.333])
    for (const name of ['min', 'p50', 'p95', 'p99', 'max'] as const)
      expect(latencyMs?.[name]).toBeCloseTo(exact[name], 2)
  })
})
