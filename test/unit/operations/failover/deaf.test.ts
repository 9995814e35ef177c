import { expect, test } from 'vitest'
import type { NodeStatus } from '../../../../src/cluster/node-status.ts'
import { deafStandbys } from '../../../../src/operations/failover/deaf.ts'
import { aPrimary, aSilentNode, aStandby, senderTo } from '../../../support/a-status.ts'

const NEW_PRIMARY = { host: 'b.replication', port: 5432 }
const from = (senderHost: string, senderPort = 5432): NodeStatus =>
  aStandby('c', { walReceiver: { status: 'streaming', senderHost, senderPort } })

test.each<[fact: string, all: NodeStatus[], deaf: string[]]>([
  ['one that streams from the new primary is not deaf', [aPrimary('b', ['c']), from('b.replication')], []],
  ['nor before the new primary says that it sends', [aPrimary('b', []), from('b.replication')], []],
  ['one that still streams from the old primary is', [aPrimary('b', []), from('a.replication')], ['c']],
  ['also when both are one host, on two ports', [aPrimary('b', []), from('b.replication', 5433)], ['c']],
  [
    'one that does not stream looks for another by itself',
    [aPrimary('b', []), aStandby('c', { walReceiver: null })],
    [],
  ],
  [
    'nor one that streams from another standby',
    [aPrimary('b', ['d']), from('d.replication'), aStandby('d', { replication: [senderTo('c')] })],
    [],
  ],
  ['one that does not answer is left alone', [aPrimary('b', []), aSilentNode('c', 'frozen')], []],
  ['each of those that are', [aPrimary('b', []), aStandby('c'), aStandby('d')], ['c', 'd']],
])('%s', (_, all, deaf) => {
  expect(deafStandbys(all, NEW_PRIMARY)).toEqual(deaf)
})
