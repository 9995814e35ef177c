/**
 * Every check of a round with the stack must be able to fail: each is given evidence that is broken in one place.
 */
import { describe, expect, test } from 'vitest'
import { checkHistory } from '../../../../src/history/check.ts'
import type { History, Write } from '../../../../src/history/history.ts'
import { changeIn, judgeStackRound, stackChecks, type StackTerms } from '../../../../src/stack/chaos/checks.ts'
import { acknowledgementsOf, membersInBetween } from '../../../../src/stack/chaos/evidence.ts'
import type { StackEvidence, WayFindings } from '../../../../src/stack/chaos/evidence.ts'
import { stackActions, stackPlan, type StackAction, type StackPlan } from '../../../../src/stack/chaos/plan.ts'
import { stackWays, type StackWay } from '../../../../src/stack/ways.ts'
import { aPrimary, aSilentNode, aStandby } from '../../../support/a-status.ts'

const NODES = ['primary', 'replica1', 'replica2']

const aPlan = (action: StackAction, plan: Partial<StackPlan> = {}): StackPlan => ({
  ...stackPlan(1, 1),
  action,
  ...plan,
})

/** Acknowledged at that millisecond, on that timeline. */
const aWrite = (id: number, at: number, timeline: number): Write => ({
  ...{ id, dueAt: at, sentAt: at, settledAt: at + 1, outcome: { kind: 'acknowledged' } },
  server: `10.0.0.${timeline}:5432 ${timeline} 1795769352919`,
})

interface Broken {
  readonly writes?: readonly Write[]
  /** Ids there, with how often; else what was acknowledged, each once. */
  readonly there?: readonly (readonly [number, number])[]
}

function aWay(way: StackWay, { writes = [aWrite(0, 0, 1), aWrite(1, 10, 1)], there }: Broken = {}): WayFindings {
  const history: History = { run: way, writes, connectionErrors: [], startedAt: 0, stoppedAt: 100 }
  const survivors = new Map(there ?? writes.map(({ id }) => [id, 1] as const))
  const findings = checkHistory(history, survivors, { faultHappened: true })
  return { way, findings, acknowledgements: acknowledgementsOf(history) }
}

/** Of a round in which nothing is wrong, but for what is broken over HAProxy. */
const waysWith = (broken: Broken): StackEvidence['ways'] =>
  stackWays.map(way => aWay(way, way === 'haproxy' ? broken : {}))

const seen = (node: string, timeline: number, at: number): StackEvidence['acknowledgements'][number] => ({
  ...{ node, timeline, sentAt: at, settledAt: at + 1 },
})

const evidenceOf = (evidence: Partial<StackEvidence> = {}): StackEvidence => ({
  plan: aPlan('stop'),
  before: { primary: 'primary', timeline: 1 },
  acknowledgements: [seen('primary', 1, 0), seen('primary', 1, 20)],
  ways: waysWith({}),
  silentWays: [],
  changedRuns: [],
  expectedNodes: NODES,
  nodes: [aPrimary('primary', ['replica1', 'replica2']), aStandby('replica1'), aStandby('replica2')],
  members: [
    { name: 'primary', role: 'leader', state: 'running', timeline: 1 },
    { name: 'replica1', role: 'replica', state: 'streaming', timeline: 1 },
    { name: 'replica2', role: 'replica', state: 'streaming', timeline: 1 },
  ],
  rows: NODES.map(node => ({ node, fingerprint: '8 1' })),
  sessions: NODES.map(node => ({ node, sessions: { 'pg-failover-lab': 1, 'lab writer': 1 } })),
  pooled: { toServers: 3, clients: 0 },
  own: { active: {}, descriptors: 30 },
  ...evidence,
})

const terms = (): StackTerms => ({ ownAtStart: { active: {}, descriptors: 30 }, owners: new Map() })

const judge = (evidence: Partial<StackEvidence>): string[] => judgeStackRound(evidenceOf(evidence), terms())

/** Timeline 2 is replica1's now. */
const takenOver = {
  nodes: [
    aPrimary('replica1', ['primary', 'replica2'], { timeline: 2 }),
    ...['primary', 'replica2'].map(name => aStandby(name, { timeline: 2 })),
  ].sort((a, b) => a.name.localeCompare(b.name)),
  members: evidenceOf().members.map(member => ({
    ...{ ...member, timeline: 2 },
    ...(member.name === 'replica1' ? { role: 'leader', state: 'running' } : { role: 'replica', state: 'streaming' }),
  })),
  acknowledgements: [seen('primary', 1, 0), seen('replica1', 2, 50)],
}

test('a round in which nothing is wrong passes every check, with a failover or without', () => {
  expect(judge({})).toEqual([])
  expect(judge(takenOver)).toEqual([])
  expect(changeIn(evidenceOf(takenOver))).toBe('replica1 leads after primary, on timeline 2 after 1')
})

describe('what the clients were told', () => {
  const split = 'one node acknowledges: primary acknowledged 2 on timeline 1'

  test('an old primary that acknowledges after the new one did, over a way', () => {
    const writes = [aWrite(0, 0, 1), aWrite(1, 60, 1), aWrite(2, 70, 1), aWrite(3, 80, 2)]
    const there = [0, 3].map(id => [id, 1] as const)
    expect(judge({ ...takenOver, plan: aPlan('freeze'), ways: waysWith({ writes, there }) })).toEqual([
      `${split} (haproxy), 10 ms to 20 ms after replica1 did on timeline 2; 2 of them are gone`,
    ])
  })

  test('the same, asked directly', () => {
    const acknowledgements = [...takenOver.acknowledgements, seen('primary', 1, 60), seen('primary', 1, 70)]
    expect(judge({ ...takenOver, acknowledgements })).toEqual([
      `${split} (asked directly), 10 ms to 20 ms after replica1 did on timeline 2`,
    ])
  })

  test('not one that was sent before, and answered late', () => {
    const late = { ...seen('primary', 1, 40), settledAt: 90 }
    expect(judge({ ...takenOver, acknowledgements: [...takenOver.acknowledgements, late] })).toEqual([])
  })

  test('two that acknowledge on one timeline, also in two rounds', () => {
    const ofBoth = terms()
    expect(judgeStackRound(evidenceOf(), ofBoth)).toEqual([])
    expect(judgeStackRound(evidenceOf({ acknowledgements: [seen('replica2', 1, 0)] }), ofBoth)).toEqual([
      'one node acknowledges: primary and replica2 both acknowledged on timeline 1',
    ])
  })

  test('nobody who acknowledges', () => {
    expect(judge({ acknowledgements: [] })).toEqual(['one node acknowledges: nobody was seen to acknowledge anything'])
    expect(judge({ ways: waysWith({ writes: [] }) })).toEqual([
      'nothing is lost where nothing can be: nothing was acknowledged over haproxy, so nothing could be lost',
    ])
  })
})

describe('what is gone', () => {
  const ways = waysWith({ writes: [aWrite(0, 0, 1), aWrite(1, 10, 1), aWrite(2, 80, 2)], there: [[0, 1], [2, 1]] }) // prettier-ignore
  const gone = (plan: StackPlan): string[] => judge({ ...takenOver, ways, plan })

  test('where nothing can be lost', () => {
    for (const action of ['stop', 'switchover', 'etcd'] as const)
      expect(gone(aPlan(action)), action).toEqual([
        `nothing is lost where nothing can be: gone over haproxy, although ${action} loses nothing: 1`,
      ])
    expect(gone(aPlan('hit-switchover', { victim: 'other' }))).toHaveLength(1)
  })

  test('is no failure where a primary that acknowledged alone is gone', () => {
    for (const action of ['killed', 'postmaster', 'freeze', 'isolated', 'etcd-killed'] as const)
      expect(gone(aPlan(action)), action).toEqual([])
    expect(gone(aPlan('hit-switchover', { victim: 'primary' }))).toEqual([])
  })

  test('although whoever acknowledged it still leads', () => {
    const ofNow = waysWith({ writes: [aWrite(0, 0, 1), aWrite(1, 80, 2)], there: [[0, 1]] })
    expect(judge({ ...takenOver, ways: ofNow, plan: aPlan('killed') })).toEqual([
      'nothing is lost where nothing can be: gone over haproxy, although acknowledged on timeline 2: 1',
    ])
  })
})

test('what is there twice, or was never sent', () => {
  const name = 'what is there was sent, and once'
  expect(
    judge({
      ways: waysWith({
        there: [
          [0, 2],
          [1, 1],
          [7, 1],
        ],
      }),
    }),
  ).toEqual([
    // prettier-ignore
    `${name}: there over haproxy, although they certainly failed or were never tried: 7`,
    `${name}: there more than once over haproxy: 0`,
  ])
})

test('a former run that has changed', () => {
  const changed = { run: 'r', round: 3, missingIds: [5], appearedIds: [], multipliedIds: [] }
  expect(judge({ changedRuns: [changed] })).toEqual([
    'former runs are as they were: gone by now, of the run r of round 3: 5',
  ])
})

test('a failover where nothing has happened to the primary', () => {
  const must = stackActions.filter(action => judge({ ...takenOver, plan: aPlan(action) }).length > 0)
  expect(must.sort()).toEqual(
    ['both-standbys-killed', 'haproxy', 'pgbouncer', 'spike', 'standby-freeze', 'standby-killed'].sort(),
  )
  expect(judge({ ...takenOver, plan: aPlan('spike') })).toEqual([
    'nobody else leads without a reason: replica1 leads after primary, on timeline 2 after 1, in spike',
  ])
})

describe('what there is at the end', () => {
  test('a node that does not stream, and one that does not answer', () => {
    const [first, second] = evidenceOf().nodes as [StackEvidence['nodes'][number], StackEvidence['nodes'][number]]
    expect(judge({ nodes: [first, second, aStandby('replica2', { walReceiver: null })] })).toEqual([
      'every node streams: replica2 does not stream from primary',
    ])
    expect(judge({ nodes: [first, second, aSilentNode('replica2')] })[0]).toMatch(/^every node streams: replica2 does/)
  })

  test('Patroni, who says something else', () => {
    const { members } = takenOver
    expect(judge({ members })).toEqual(['Patroni says the same: replica1 leads, and primary is the primary'])
    const [leader, standby, other] = evidenceOf().members as [StackEvidence['members'][number], StackEvidence['members'][number], StackEvidence['members'][number]] // prettier-ignore
    expect(judge({ members: [leader, { ...standby, state: 'starting' }, { ...other, timeline: 7 }] })).toEqual([
      'Patroni says the same: replica1 is starting instead of streaming',
      'Patroni says the same: replica2 is on timeline 7, not 1',
    ])
  })

  test('an older timeline than before', () => {
    expect(judge({ before: { primary: 'primary', timeline: 4 } })).toContain(
      'timelines only grow: the primary is on timeline 1, and was on 4 before',
    )
  })

  test('a node with other rows', () => {
    const rows = NODES.map(node => ({ node, fingerprint: node === 'replica2' ? '7 1' : '8 1' }))
    expect(judge({ rows })).toEqual(['every node has the same rows: replica2 has 7 1, and primary 8 1'])
  })

  test('a way that does not lead to the primary again', () => {
    expect(judge({ silentWays: ['router'] })).toEqual([
      'every way leads to the primary again: nothing was acknowledged over router in time, although all was well',
    ])
  })

  test('sessions that are left, but for those that PgBouncer keeps', () => {
    expect(judge({ pooled: { toServers: 2, clients: 1 } })).toEqual([
      'no session is left open: 3 of "lab writer" on all nodes, of which PgBouncer has 2',
      'no session is left open: 1 of "lab writer" on PgBouncer',
    ])
    expect(judge({ sessions: [{ node: 'replica1', sessions: { 'lab spike': 2 } }] })).toEqual([
      'no session is left open: 2 of "lab spike" on replica1',
    ])
  })

  test('a child process of the lab', () => {
    expect(judge({ own: { active: { ProcessWrap: 1 }, descriptors: 30 } })).toEqual([
      'this process keeps nothing: 1 child processes run, and 0 were at the start',
    ])
  })
})

test('a node that Patroni says is starting is looked at again before anybody judges', () => {
  const leader = { name: 'primary', role: 'leader', state: 'running' }
  const streams = { name: 'replica1', role: 'replica', state: 'streaming' }
  expect(membersInBetween([leader, streams])).toEqual([])
  expect(membersInBetween([leader, streams, { name: 'replica2', role: 'replica', state: 'starting' }])).toEqual([
    'replica2 starting',
  ])
})

test('every check is broken somewhere above', () => {
  expect(Object.keys(stackChecks)).toHaveLength(12)
})
