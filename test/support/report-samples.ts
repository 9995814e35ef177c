/**
 * Made-up runs with known figures, and ways to look at a page, for the tests of the HTML reports.
 */
import type { DurabilityCell, DurabilityDocument } from '../../src/measure/durability.ts'
import type { LagDocument } from '../../src/measure/lag.ts'
import type { FailoverRecord } from '../../src/measure/record.ts'
import { spreadOf, summaryOf } from '../../src/measure/statistics.ts'
import { parseLsn } from '../../src/postgres/lsn.ts'
import type { History, Outcome, Write } from '../../src/history/history.ts'
import type { TrialResult } from '../../src/experiments/trial.ts'

/** The page as it is read, spaces run together. */
export const textOf = (html: string): string =>
  html
    .replace(/<(style|script)[^]*?<\/\1>/g, '')
    .replace(/<[^>]*>/g, ' ')
    .replace(/\s+/g, ' ')

export const plotsOf = (html: string): string[] => html.match(/<svg role="img"[^]*?<\/svg>/g) ?? []

/** The fault is at 1000, the last acknowledgement at 995, the next at 1075. */
export function sampleRun(writes: readonly Write[] = sampleWrites()): TrialResult {
  const connectionErrors = [1010, 1020].map(at => ({ at, code: 'ECONNREFUSED' }))
  const history: History = { run: 'r', writes, connectionErrors, startedAt: 900, stoppedAt: 1200 }
  const milestones = { faultAt: 1000, detectedAt: 1035, fencedAt: 1036, promotedAt: 1070 }
  return { record: sampleRecord(), history, milestones }
}

function sampleWrites(): Write[] {
  const acknowledged: Outcome = { kind: 'acknowledged' }
  const write = (
    id: number,
    [dueAt, settledAt]: readonly [number, number],
    outcome: Outcome = acknowledged,
  ): Write => ({
    id,
    dueAt,
    sentAt: dueAt,
    settledAt,
    outcome,
  })
  return [
    write(1, [950, 951]),
    write(3, [980, 981.5]),
    write(4, [990, 995]),
    write(5, [998, 1002], { kind: 'indeterminate', code: 'CONNECTION_LOST' }),
    write(6, [1000, 1003], { kind: 'failed', code: '57P01' }),
    write(7, [1010, 1075]),
    write(8, [1080, 1081]),
  ]
}

export function sampleRecord(changes: Partial<FailoverRecord> = {}): FailoverRecord {
  return {
    version: 1,
    ...{ at: '2026-01-01T00:00:00.000Z', labVersion: '0.1.0', cutMs: 300 },
    afterPromotion: { preparedTransactions: 0, sequences: 2, unloggedTables: 0, logicalSlotsGone: [] },
    runtime: 'local',
    postgresVersion: '17.10',
    fault: 'crash',
    synchronousCommit: 'on',
    oldPrimary: 'primary',
    newPrimary: 'replica1',
    timeline: { before: 1, after: 2 },
    forkLsn: parseLsn('0/3000148'),
    walBytesLost: 4096,
    load: { ratePerSecond: 500, connections: 4 },
    outageMs: 80,
    resolutionMs: 4,
    phases: { detectMs: 40, fenceMs: 1, promoteMs: 34, firstWriteMs: 5 },
    writes: {
      attempted: 7,
      acknowledged: 5,
      failed: 1,
      indeterminate: 1,
      lost: 2,
      recovered: 0,
      unexpected: 0,
      duplicates: 0,
    },
    unexpectedIds: [],
    duplicateIds: [],
    lostIds: [3, 4],
    lagAtFault: { replica1: { bytes: 312, ms: 2, sampleAgeMs: 3 } },
    latencyMs: summaryOf([1, 1.5, 5, 65, 1]),
    errors: { ECONNREFUSED: 12, '57P01': 1 },
    hungConnections: 0,
    readsOnOldPrimary: 0,
    splitBrainWrites: 0,
    verdict: 'lost-writes',
    why: '2 of 5 acknowledged writes are gone',
    settings: { synchronous_commit: 'on' },
    machine: { platform: 'linux x64', cpus: 2, node: '24.1.0' },
    ...changes,
  }
}

export function sampleLag(curve = [10, 11, 12].map(at => ({ at, bytes: at * 100 }))): LagDocument {
  const seen = {
    neverSeen: 0,
    replayedAtEnd: 3,
    bytesAtEnd: 0,
    maxBytes: Math.max(1200, ...curve.slice(70_000, 80_000).map(({ bytes }) => bytes)),
    resolutionMs: summaryOf([1, 1]),
  }
  return {
    version: 1,
    runtime: 'local',
    postgresVersion: '17.10',
    primary: 'primary',
    inserts: 3,
    ratePerSecond: null,
    burstMs: 3,
    insertMs: summaryOf([1, 1, 1]),
    standbys: [
      { ...seen, node: 'replica1', visibleMs: summaryOf([1, 2, 3]), drainMs: 4, curve },
      { ...seen, node: 'replica2', visibleMs: null, drainMs: null, curve: [] },
    ],
    sampling: { everyMs: 0, insertsPerSecond: { without: 2500, with: 2400 }, ratio: 0.96, n: 2 },
  }
}

export function sampleDurability(): DurabilityDocument {
  const cell = (changes: Partial<DurabilityCell>): DurabilityCell => ({
    synchronousCommit: 'on',
    standbys: 'quorum',
    promised: true,
    commitMs: summaryOf([1, 2, 3]),
    outageMs: 80,
    acknowledged: 1100,
    lost: 0,
    unexpected: 0,
    duplicates: 0,
    n: 3,
    spread: { outageMs: null, lost: spreadOf([0]) },
    ...changes,
  })
  return {
    version: 1,
    runtime: 'local',
    postgresVersion: '17.10',
    load: { ratePerSecond: 500, connections: 4 },
    cutMs: 300,
    requested: { settings: 2, trials: 3 },
    cells: [cell({}), cell({ synchronousCommit: 'off', standbys: 'asynchronous', promised: false, lost: 130 })],
    machine: { platform: 'linux x64', cpus: 2, node: '24.1.0' },
  }
}
