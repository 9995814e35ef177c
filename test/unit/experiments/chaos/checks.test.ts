/**
 * Every check of a round must be able to fail: each is given evidence that is broken in one place.
 */
import type { Kept } from '../../../../src/operations/salvage/keep.ts'
import { parseLsn } from '../../../../src/postgres/lsn.ts'
import { describe, expect, test } from 'vitest'
import { chaosChecks, judgeRound, type Terms } from '../../../../src/experiments/chaos/checks.ts'
import type { RoundEvidence, RunFindings } from '../../../../src/experiments/chaos/evidence.ts'
import { chaosActions, plan, type ChaosAction } from '../../../../src/experiments/chaos/plan.ts'
import type { Acknowledgement } from '../../../../src/experiments/chaos/watcher.ts'
import { aPrimary, aSilentNode, aSlot, aStandby } from '../../../support/a-status.ts'

const NODES = ['primary', 'replica1', 'replica2']

const aPlan = (action: ChaosAction): RoundEvidence['plan'] => ({ ...plan(1, 1), action, beside: 'nothing' })

const aRun = (run: Partial<RunFindings> = {}): RunFindings => ({
  ...{ run: 'r', during: 'action', acknowledged: 10 },
  ...{ lostIds: [], unexpectedIds: [], duplicateIds: [], recordedLostIds: undefined },
  ...run,
})

const acknowledged = (node: string, timeline: number, at: number): Acknowledgement => ({
  ...{ node, timeline, sentAt: at, settledAt: at + 1 },
})

const kept: Kept = {
  ...{ node: 'primary', keptAt: '2026-01-01T00:00:00.000Z', timeline: 1, forkTimeline: 1, walBytes: 128, records: 1 },
  ...{ forkLsn: parseLsn('0/3000000'), primary: { name: 'replica1', timeline: 2 } },
}

/** Of a round in which nothing is wrong. */
const evidenceOf = (evidence: Partial<RoundEvidence> = {}): RoundEvidence => ({
  plan: aPlan('switchover'),
  isInterrupted: false,
  runs: [aRun(), aRun({ during: 'healing' })],
  changedRuns: [],
  kept: [kept],
  acknowledgements: [acknowledged('primary', 1, 0), acknowledged('primary', 1, 10)],
  expectedNodes: NODES,
  nodes: [aPrimary('primary', ['replica1', 'replica2']), aStandby('replica1'), aStandby('replica2')],
  timelineBefore: 1,
  settings: NODES.map(node => ({ node, upstream: { kind: 'primary' }, altered: { primary_conninfo: 'host=a' } })),
  sessions: NODES.map(node => ({ node, sessions: { 'pg-failover-lab': 1, 'lab chaos watch': 1, psql: 3 } })),
  traces: { servers: NODES, files: ['primary.log'], expectedFiles: ['primary.log', 'primary.pid'] },
  own: { active: { TCPSocketWrap: 6 }, descriptors: 40 },
  ...evidence,
})

const terms = (sync: Terms['sync'] = 'asynchronous'): Terms => ({
  ...{ sync, ownAtStart: { active: {}, descriptors: 30 }, owners: new Map() },
})

const judge = (evidence: Partial<RoundEvidence>, sync?: Terms['sync']): string[] =>
  judgeRound(evidenceOf(evidence), terms(sync))

test('a round in which nothing is wrong passes every check', () => {
  expect(judge({})).toEqual([])
})

/** One way for each check to fail, at least; the fact is what is printed. */
const BROKEN: Record<keyof typeof chaosChecks, readonly [string, Partial<RoundEvidence>][]> = {
  'one node acknowledges': [
    ['nobody was seen to acknowledge anything', { acknowledgements: [] }],
    [
      'primary and replica1 both acknowledged on timeline 1',
      { acknowledgements: [acknowledged('primary', 1, 0), acknowledged('replica1', 1, 5)] },
    ],
    [
      'primary acknowledged on timeline 1 after replica1 did on timeline 2',
      { acknowledgements: [acknowledged('replica1', 2, 0), acknowledged('primary', 1, 5)] },
    ],
  ],
  'no write is lost but those that the record tells of': [
    [
      'gone, although switchover loses nothing, of the run r during the action: 3',
      { runs: [aRun({ lostIds: [3], recordedLostIds: [3] })] },
    ],
    [
      'gone, and not in the record, of the run r during the action: 4',
      { plan: aPlan('crash'), runs: [aRun({ lostIds: [3, 4], recordedLostIds: [3] })] },
    ],
    [
      'lost as the record says, and there, of the run r during the action: 3',
      { plan: aPlan('crash'), runs: [aRun({ recordedLostIds: [3] })] },
    ],
    [
      'there, although they certainly failed or were never tried, of the run r during the action: 7',
      { runs: [aRun({ unexpectedIds: [7] })] },
    ],
    ['there more than once, of the run r during the action: 8', { runs: [aRun({ duplicateIds: [8] })] }],
    ['nothing was acknowledged during the action, so nothing could be lost', { runs: [aRun({ acknowledged: 0 })] }],
  ],
  'former runs are as they were': [
    [
      'gone by now, of the run x of round 2: 1, 2, 3, 4, 5, … (6 in all)',
      { changedRuns: [{ run: 'x', round: 2, missingIds: [1, 2, 3, 4, 5, 6], appearedIds: [], multipliedIds: [] }] },
    ],
    [
      'there by now, of the run x of round 2: 9',
      { changedRuns: [{ run: 'x', round: 2, missingIds: [], appearedIds: [9], multipliedIds: [] }] },
    ],
    [
      'there more than once by now, of the run x of round 2: 4',
      { changedRuns: [{ run: 'x', round: 2, missingIds: [], appearedIds: [], multipliedIds: [4] }] },
    ],
  ],
  'every node streams': [
    [
      'replica2 does not answer: connect ECONNREFUSED',
      { nodes: [aPrimary('primary', NODES.slice(1)), aStandby('replica1'), aSilentNode('replica2')] },
    ],
    ['replica2 does not stream from primary', { nodes: withReplica2({ walReceiver: null }) }],
    ['replay is paused on replica2', { nodes: withReplica2({ replayPaused: true }) }],
    ['replica2 applies 500 ms late', { nodes: withReplica2({ recoveryMinApplyDelayMs: 500 }) }],
    ['0 nodes are primaries', { nodes: NODES.map(name => aStandby(name)) }],
    ['2 nodes are primaries', { nodes: [aPrimary('primary', []), aPrimary('replica1', []), aStandby('replica2')] }],
    ['the nodes are primary, replica1, replica2 instead of primary, replica1', { expectedNodes: NODES.slice(0, 2) }],
  ],
  'timelines only grow': [['the primary is on timeline 1, and was on 2 before', { timelineBefore: 2 }]],
  'slots follow the roles': [
    ['primary has no slot for replica2', { nodes: withSlots(['replica1']) }],
    [
      'primary, a primary, has a slot replica3 that nobody needs',
      { nodes: withSlots([...NODES.slice(1), 'replica3']) },
    ],
    [
      'replica2, a standby, has a slot primary that nobody needs',
      { nodes: withReplica2({ slots: [aSlot('primary')] }) },
    ],
    [
      'nobody uses the slot replica2 of primary',
      {
        nodes: [
          aPrimary('primary', NODES.slice(1), { slots: [aSlot('replica1'), aSlot('replica2', { active: false })] }),
          ...[aStandby('replica1'), aStandby('replica2')],
        ],
      },
    ],
  ],
  'what is gone is kept': [
    [
      'no node keeps the writes that are gone: 7',
      { plan: aPlan('crash'), kept: [], runs: [aRun({ lostIds: [7], recordedLostIds: [7] })] },
    ],
    [
      'no node keeps the writes that are gone: 7',
      { plan: aPlan('crash'), kept: [{ ...kept, records: 0 }], runs: [aRun({ lostIds: [7], recordedLostIds: [7] })] },
    ],
  ],
  'no setting is left over': [
    [
      "replica1 has recovery_min_apply_delay = '5s'",
      { settings: [{ node: 'replica1', upstream: { kind: 'primary' }, altered: { recovery_min_apply_delay: '5s' } }] },
    ],
    [
      'replica1 follows replica2 alone',
      { settings: [{ node: 'replica1', upstream: { kind: 'node', name: 'replica2' }, altered: {} }] },
    ],
    [
      "replica1 follows ''",
      { settings: [{ node: 'replica1', upstream: { kind: 'other', conninfo: '' }, altered: {} }] },
    ],
    [
      "replica1 has synchronous_standby_names = 'x' instead of ''",
      { settings: [{ node: 'replica1', upstream: { kind: 'primary' }, altered: { synchronous_standby_names: 'x' } }] },
    ],
    [
      'primary has synchronous_commit = local',
      {
        nodes: [
          aPrimary('primary', NODES.slice(1), { synchronousCommit: 'local' }),
          aStandby('replica1'),
          aStandby('replica2'),
        ],
      },
    ],
  ],
  'no session is left open': [
    ['4 of "lab writer" on replica1', { sessions: [{ node: 'replica1', sessions: { 'lab writer': 4 } }] }],
    ['2 of "pg-failover-lab" on replica1', { sessions: [{ node: 'replica1', sessions: { 'pg-failover-lab': 2 } }] }],
  ],
  'no process and no file is left': [
    ['no server of replica2 runs', { traces: { servers: NODES.slice(0, 2), files: [], expectedFiles: [] } }],
    [
      'one too many runs: pg_basebackup -D x',
      { traces: { servers: [...NODES, 'pg_basebackup -D x'], files: [], expectedFiles: [] } },
    ],
    ['one too many runs: replica2', { traces: { servers: [...NODES, 'replica2'], files: [], expectedFiles: [] } }],
    [
      'left over: replica2-data/ballast',
      { traces: { servers: NODES, files: ['replica2-data/ballast'], expectedFiles: ['primary.log'] } },
    ],
  ],
  'this process keeps nothing': [
    ['6 listeners are open, and 0 were at the start', { own: { active: { TCPServerWrap: 6 }, descriptors: 30 } }],
    ['1 child processes run, and 0 were at the start', { own: { active: { ProcessWrap: 1 }, descriptors: 30 } }],
    ['90 file descriptors are open, and 30 were at the start', { own: { active: {}, descriptors: 90 } }],
  ],
}

function withReplica2(status: Parameters<typeof aStandby>[1]): RoundEvidence['nodes'] {
  return [aPrimary('primary', NODES.slice(1)), aStandby('replica1'), aStandby('replica2', status)]
}

function withSlots(names: readonly string[]): RoundEvidence['nodes'] {
  const primary = aPrimary('primary', NODES.slice(1), { slots: names.map(name => aSlot(name)) })
  return [primary, aStandby('replica1'), aStandby('replica2')]
}

describe.each(Object.entries(BROKEN))('%s', (name, cases) => {
  test.each(cases)('fails: %s', (fact, broken) => {
    expect(judge(broken)).toContain(`${name}: ${fact}`)
  })
})

describe('a loss', () => {
  const lost = [aRun({ lostIds: [1, 2], recordedLostIds: [1, 2] })]

  test.each(chaosActions)(
    'that the record tells of is right after %s only if a primary crashed there alone',
    action => {
      const mayLose = ['crash', 'rejoin', 'frozen-primary', 'isolated-primary'].includes(action)
      expect(judge({ plan: aPlan(action), runs: lost }).length).toBe(mayLose ? 0 : 1)
    },
  )

  test.each(['one', 'quorum'] as const)('is never right with sync %s', sync => {
    const standing = { nodes: evidenceOf().nodes, settings: [] }
    expect(judge({ ...standing, plan: aPlan('crash'), runs: lost }, sync)).toEqual([
      'no write is lost but those that the record tells of: acknowledged by a synchronous standby, and gone, of the run r during the action: 1, 2',
    ])
  })

  const unrecorded = [aRun({ lostIds: [1, 2] })]

  test('of an action that was interrupted may be in no record, where a crash may lose something', () => {
    const interrupted = { isInterrupted: true, runs: unrecorded }
    expect(judge({ ...interrupted, plan: aPlan('crash') })).toEqual([])
    expect(judge({ ...interrupted, plan: aPlan('crash'), isInterrupted: false })).toHaveLength(1)
    expect(judge({ ...interrupted, plan: aPlan('switchover') }).length).toBeGreaterThan(0)
    expect(judge({ ...interrupted, plan: aPlan('crash'), settings: [] }, 'quorum').length).toBeGreaterThan(0)
    const healing = [aRun({ during: 'healing', lostIds: [1] })]
    expect(judge({ isInterrupted: true, plan: aPlan('crash'), runs: healing }).length).toBeGreaterThan(0)
  })

  test('is never right while a cluster is healed', () => {
    const healing = [aRun({ during: 'healing', lostIds: [1], recordedLostIds: [1] })]
    expect(judge({ plan: aPlan('crash'), runs: healing })).toHaveLength(1)
  })
})

describe('timelines', () => {
  test('have one node each over all rounds', () => {
    const soak = terms()
    expect(judgeRound(evidenceOf(), soak)).toEqual([])
    const acknowledgements = [acknowledged('replica1', 1, 100)]
    expect(judgeRound(evidenceOf({ acknowledgements }), soak)).toEqual([
      'one node acknowledges: primary and replica1 both acknowledged on timeline 1',
    ])
  })

  test('may be told late by an answer that was on its way when the next one began', () => {
    const late = { node: 'primary', timeline: 1, sentAt: 5, settledAt: 30 }
    expect(judge({ acknowledgements: [acknowledged('replica1', 2, 10), late] })).toEqual([])
    expect(judge({ acknowledgements: [acknowledged('replica1', 2, 10), { ...late, sentAt: 12 }] })).toHaveLength(1)
  })
})
