import { describe, expect, test } from 'vitest'
import type { LabErrorCode } from '../../../../src/errors.ts'
import type { NodeStatus, StandbyStatus } from '../../../../src/cluster/node-status.ts'
import { chooseTarget, unconfirmed } from '../../../../src/operations/switchover/target.ts'
import { aPrimary, aSilentNode, aStandby, lsn, senderTo } from '../../../support/a-status.ts'
import { catchLabError } from '../../../support/catch-lab-error.ts'

const beside = (...standbys: NodeStatus[]): NodeStatus[] => [
  aPrimary(
    'primary',
    standbys.map(({ name }) => name),
  ),
  ...standbys,
]
const late = (name: string, status: Partial<StandbyStatus> = {}): StandbyStatus =>
  aStandby(name, { recoveryMinApplyDelayMs: 60_000, ...status })

describe('a switchover is to', () => {
  test.each<[fact: string, all: NodeStatus[], to: string | undefined, target: string]>([
    ['the one that has replayed most', beside(aStandby('a'), aStandby('b', { replayLsn: lsn(1001) })), undefined, 'b'],
    ['the first of two that have replayed the same', beside(aStandby('a'), aStandby('b')), undefined, 'a'],
    ['the one that is named', beside(aStandby('a', { replayLsn: lsn(1001) }), aStandby('b')), 'b', 'b'],
    ['one that applies at once', beside(late('a', { replayLsn: lsn(1001) }), aStandby('b')), undefined, 'b'],
    [
      'one that streams',
      beside(aStandby('a', { walReceiver: null, replayLsn: lsn(1001) }), aStandby('b')),
      undefined,
      'b',
    ],
    ['one that answers', beside(aSilentNode('a', 'frozen'), aStandby('b')), undefined, 'b'],
    [
      'one that streams from the primary itself',
      [
        aPrimary('primary', ['a']),
        aStandby('a', { replication: [senderTo('b')] }),
        aStandby('b', { replayLsn: lsn(1001) }),
      ],
      ...([undefined, 'a'] as const),
    ],
  ])('%s', (_, all, to, target) => {
    expect(chooseTarget(all, to)).toMatchObject({ old: { name: 'primary' }, target: { name: target } })
  })
})

describe('a switchover is refused', () => {
  const refused = 'no switchover, and nothing was changed: '
  test.each<[fact: string, all: NodeStatus[], to: string | undefined, code: LabErrorCode, message: string]>([
    ['without a primary', [aStandby('a')], 'a', 'NO_PRIMARY', 'no node that answers accepts writes: a is standby'],
    ['with two', [aPrimary('a', []), aPrimary('b', [])], 'a', 'SPLIT_BRAIN', 'more than one node accepts writes: a, b'],
    ['when nobody answers', [aSilentNode('a'), aSilentNode('b')], 'a', 'NOT_RUNNING', 'no node answers: a, b'],
    ['to the primary', beside(aStandby('a')), 'primary', 'UNKNOWN_NODE', 'primary is the primary, and no standby'],
    ['to one that is down', beside(aSilentNode('a')), 'a', 'UNREACHABLE', 'a is stopped, and does not answer'],
    [
      'to one that stands still',
      beside(aSilentNode('a', 'frozen')),
      'a',
      'UNREACHABLE',
      'a is frozen, and does not answer',
    ],
    [
      'to one that does not stream',
      beside(aStandby('a', { walReceiver: null })),
      ...(['a', 'NOT_READY'] as const),
      `${refused}a is a standby on timeline 1, replayed 0/3E8, not streaming; it must stream from primary`,
    ],
    [
      'to one on another timeline',
      beside(aStandby('a', { timeline: 2 })),
      ...(['a', 'NOT_READY'] as const),
      `${refused}a is a standby on timeline 2, replayed 0/3E8, streaming from somewhere; it must stream from primary`,
    ],
    [
      'to one that the primary does not know to stream',
      [aPrimary('primary', []), aStandby('a')],
      ...(['a', 'NOT_READY'] as const),
      `${refused}a is a standby on timeline 1, replayed 0/3E8, streaming from somewhere; it must stream from primary`,
    ],
    [
      'to one that applies late',
      beside(late('a')),
      'a',
      'NOT_READY',
      `${refused}a applies late (recovery_min_apply_delay)`,
    ],
    [
      'to one whose replay is paused',
      beside(aStandby('a', { replayPaused: true })),
      'a',
      'NOT_READY',
      `${refused}replay is paused on a`,
    ],
    [
      'to nobody when all apply late',
      beside(late('a')),
      undefined,
      'NOT_READY',
      `${refused}no standby that applies at once streams from primary`,
    ],
    [
      'to nobody without a standby',
      [aPrimary('primary', [])],
      undefined,
      'NOT_READY',
      `${refused}no standby that applies at once streams from primary`,
    ],
  ])('%s', async (_, all, to, code, message) => {
    const error = await catchLabError(code, async () => chooseTarget(all, to))
    expect(error.message).toBe(message)
  })
})

test.each([
  ['nobody when all have confirmed it', [lsn(1000), lsn(1001)], undefined],
  ['one that has confirmed less', [lsn(1000), lsn(999)], 'b'],
  ['one that has confirmed nothing yet', [null, lsn(1000)], 'a'],
  ['nobody without a standby', [], undefined],
])('the shutdown would be held up by %s', (_, flushLsns, expected) => {
  const names = ['a', 'b'] as const
  const replication = flushLsns.map((flushLsn, at) => ({ ...senderTo(names[at] ?? ''), flushLsn }))
  expect(unconfirmed(aPrimary('primary', [], { replication }), lsn(1000))?.applicationName).toBe(expected)
})
