import { describe, expect, test } from 'vitest'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import { healthy } from '../../../src/cluster/conditions.ts'
import type { NodeStatus } from '../../../src/cluster/node-status.ts'
import { LabError } from '../../../src/errors.ts'
import { waitUntil } from '../../../src/wait.ts'
import { aPrimary, aSilentNode, aStandby } from '../../support/a-status.ts'

/** A cluster which says one thing after another, and the last for ever. */
function saying(...statuses: (NodeStatus[] | LabError)[]): Cluster {
  const status = async (): Promise<NodeStatus[]> => {
    const [now = []] = statuses.length > 1 ? statuses.splice(0, 1) : statuses
    if (now instanceof LabError) throw now
    return now
  }
  return { status } as unknown as Cluster
}

const well = [aPrimary('a', ['b']), aStandby('b')]

describe('a cluster that is to be healthy', () => {
  test.each<[fact: string, now: NodeStatus[], seen: string]>([
    [
      'no node is the primary yet',
      [aStandby('a'), aStandby('b')],
      'no node that answers accepts writes: a is standby, b is standby',
    ],
    ['no node answers yet', [aSilentNode('a', 'running')], 'no node answers: a'],
    [
      'two accept writes, until one is fenced',
      [aPrimary('a', []), aPrimary('b', [])],
      'more than one node accepts writes: a, b',
    ],
    [
      'a standby does not stream yet',
      [aPrimary('a', []), aStandby('b', { walReceiver: null })],
      'b is a standby on timeline 1, replayed 0/3E8, not streaming',
    ],
  ])('is waited for while %s', async (_, now, seen) => {
    expect(await healthy(saying(now)).observe(new AbortController().signal)).toEqual({ met: false, seen })
    await expect(waitUntil(healthy(saying(now, now, well)), { timeoutMs: 5_000, intervalMs: 1 })).resolves.toBe(well[0])
  })

  test('is not waited for when it is another one', async () => {
    const other = new LabError('OTHER_CLUSTER', 'another')
    await expect(waitUntil(healthy(saying(other, well)), { timeoutMs: 5_000 })).rejects.toBe(other)
  })
})
