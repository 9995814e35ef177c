import fc from 'fast-check'
import type { FailoverRecord } from '../../src/measure/record.ts'

/** The record of a failover in which nothing special happened, but for what is said. */
export const aRecord = (differing: Partial<FailoverRecord> = {}): FailoverRecord => ({
  version: 1,
  runtime: 'local',
  postgresVersion: '17.2',
  fault: 'crash',
  synchronousCommit: 'on',
  oldPrimary: 'primary',
  newPrimary: 'replica1',
  timeline: { before: 1, after: 2 },
  forkLsn: null,
  walBytesLost: null,
  load: { ratePerSecond: 200, connections: 4 },
  outageMs: 100,
  resolutionMs: 4,
  phases: { detectMs: 10, fenceMs: 20, promoteMs: 30, firstWriteMs: 40 },
  writes: writes({ attempted: 10, acknowledged: 10 }),
  lostIds: [],
  unexpectedIds: [],
  duplicateIds: [],
  lagAtFault: {},
  latencyMs: null,
  errors: {},
  hungConnections: 0,
  readsOnOldPrimary: 0,
  splitBrainWrites: 0,
  verdict: 'durable',
  why: 'all 10 acknowledged writes are there',
  settings: {},
  at: '2026-01-01T00:00:00.000Z',
  labVersion: '0.1.0',
  cutMs: 0,
  afterPromotion: null,
  machine: { platform: 'linux x64', cpus: 4, node: '22.0.0' },
  ...differing,
})

/** None, but for what is said. */
export const writes = (differing: Partial<FailoverRecord['writes']> = {}): FailoverRecord['writes'] => ({
  attempted: 0,
  acknowledged: 0,
  failed: 0,
  indeterminate: 0,
  lost: 0,
  recovered: 0,
  unexpected: 0,
  duplicates: 0,
  ...differing,
})

const few = fc.nat(1000)

/** Records with any writes and verdict, with an outage and without. */
export const anyRecord: fc.Arbitrary<FailoverRecord> = fc
  .record({
    writes: fc.record({
      attempted: few,
      acknowledged: few,
      failed: few,
      indeterminate: few,
      lost: few,
      recovered: few,
      unexpected: few,
      duplicates: few,
    }),
    verdict: fc.constantFrom('durable', 'lost-writes', 'inconsistent', 'unknown'),
    phases: fc.option(fc.record({ detectMs: few, fenceMs: few, promoteMs: few, firstWriteMs: few })),
  })
  .map(({ phases, ...figures }) => {
    const outageMs = phases === null ? null : Object.values(phases).reduce((sum, ms) => sum + ms, 0)
    return aRecord({ ...figures, phases, outageMs })
  })
