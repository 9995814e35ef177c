import { describe, expect, test } from 'vitest'
import type { NodeStatus } from '../../../../src/cluster/node-status.ts'
import { lookAtDrain, QUIET_MS } from '../../../../src/operations/failover/drained.ts'
import { aSilentNode, aStandby, lsn, senderTo } from '../../../support/a-status.ts'

const streaming = (name: string, at = 1000): NodeStatus => aStandby(name, { receiveLsn: lsn(at) })
const notStreaming = (name: string): NodeStatus => aStandby(name, { walReceiver: null })

describe('at the first look the standbys are', () => {
  test.each<[fact: string, all: NodeStatus[], isDrained: boolean]>([
    ['drained when none streams', [notStreaming('a'), notStreaming('b')], true],
    ['drained when there is none', [], true],
    ['drained when those that answer do not stream', [notStreaming('a'), aSilentNode('b', 'frozen')], true],
    ['not drained while one streams', [notStreaming('a'), streaming('b')], false],
    [
      'drained when the only one that streams does so from another that answers',
      [aStandby('a', { walReceiver: null, replication: [senderTo('b')] }), streaming('b')],
      true,
    ],
    [
      'not drained when that other one streams, too',
      [aStandby('a', { replication: [senderTo('b')] }), streaming('b')],
      false,
    ],
    [
      'drained while a WAL receiver only waits',
      [aStandby('a', { walReceiver: { status: 'waiting', senderHost: 'somewhere', senderPort: 5432 } })],
      true,
    ],
  ])('%s', (_, all, isDrained) => {
    expect(lookAtDrain(all, 0).observation.met).toBe(isDrained)
  })
})

/** Whether each look, at its instant, found them drained. */
function looks(seen: readonly (readonly [at: number, all: NodeStatus[]])[]): boolean[] {
  let positions
  const found = []
  for (const [at, all] of seen) {
    const drain = lookAtDrain(all, at, positions)
    positions = drain.positions
    found.push(drain.observation.met)
  }
  return found
}

test('a standby that says that it streams, and gets nothing for a while, has what there was', () => {
  const all = [streaming('a'), notStreaming('b')]
  expect(
    looks([
      [0, all],
      [QUIET_MS - 1, all],
      [QUIET_MS, all],
    ]),
  ).toEqual([false, false, true])
})

test('whatever one of them gets begins the while anew', () => {
  const [before, after] = [
    [streaming('a'), streaming('b')],
    [streaming('a'), streaming('b', 1001)],
  ]
  expect(
    looks([
      [0, before],
      [90, after],
      [90 + QUIET_MS - 1, after],
      [90 + QUIET_MS, after],
    ]),
  ).toEqual([...[false, false, false], true])
})

test('so does one that answers no more: the positions are not those of the same nodes', () => {
  const [two, one] = [[streaming('a'), streaming('b')], [streaming('b')]]
  expect(
    looks([
      [0, two],
      [QUIET_MS, one],
    ]),
  ).toEqual([false, false])
})

test('tells who still receives, and where each candidate is', () => {
  const { observation } = lookAtDrain([streaming('a'), notStreaming('b')], 0)
  expect(observation).toEqual({
    met: false,
    seen: 'a is a standby on timeline 1, replayed 0/3E8, streaming from somewhere',
  })
  expect(lookAtDrain([notStreaming('b')], 0).observation).toEqual({
    met: true,
    value: [{ name: 'b', lsn: lsn(1000), timeline: 1, isDelayed: false }],
  })
})
