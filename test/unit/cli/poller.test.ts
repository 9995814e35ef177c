import { expect, test } from 'vitest'
import type { Cluster } from '../../../src/cluster/cluster.ts'
import type { NodeStatus } from '../../../src/cluster/node-status.ts'
import { Poller } from '../../../src/cli/poller.ts'
import { LabError } from '../../../src/errors.ts'
import { aPrimary, aStandby } from '../../support/a-status.ts'

/** Two nodes; what each answers, and when, is the test's business. */
function twoNodes(answer: (name: string) => Promise<NodeStatus>): {
  readonly cluster: Cluster
  readonly asked: string[]
} {
  const asked: string[] = []
  const cluster = {
    nodes: [{ name: 'primary' }, { name: 'replica1' }],
    nodeStatus: (name: string) => {
      asked.push(name)
      return answer(name)
    },
    runtime: { clientEndpoint: () => ({ host: '127.0.0.1', port: 5432 }), state: async () => 'frozen' },
  }
  return { cluster: cluster as unknown as Cluster, asked }
}

const { signal } = new AbortController()

test('asks a node that owes an answer nothing more, and the others go on', async () => {
  let isStill = false
  const { cluster, asked } = twoNodes(name => {
    if (name === 'primary') return Promise.resolve(aPrimary('primary', ['replica1']))
    return isStill ? new Promise(() => undefined) : Promise.resolve(aStandby('replica1'))
  })
  const poller = new Poller(cluster, signal)
  await poller.poll(100)
  isStill = true
  const seen = []
  for (let looks = 0; looks < 15; looks++) seen.push((await poller.poll(100)).map(({ status }) => status.role))
  expect(asked.filter(name => name === 'replica1')).toHaveLength(2)
  expect(asked.filter(name => name === 'primary')).toHaveLength(16)
  // What it said last holds for a second.
  expect(seen[0]).toEqual(['primary', 'standby'])
  expect(seen.at(-1)).toEqual(['primary', 'unreachable'])
  const [, last] = await poller.poll(1)
  expect(last?.status).toMatchObject({ state: 'frozen', reason: expect.stringMatching(/^no answer for \d/) })
})

test('throws what is no state of a node', async () => {
  const { cluster } = twoNodes(() => Promise.reject(new LabError('WRONG_PASSWORD', 'refused')))
  await expect(new Poller(cluster, signal).poll(100)).rejects.toMatchObject({ code: 'WRONG_PASSWORD' })
})
