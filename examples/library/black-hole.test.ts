/**
 * How do I test a black hole? With one that is longer than the client's own limit.
 */
import { clusterTest } from 'pg-failover-lab/vitest'
import { createApp } from './app.ts'

const test = clusterTest({ schema: 'CREATE TABLE orders (id text PRIMARY KEY, item text)' })

test('a hole shorter than the limit only delays', async ({ cluster, expect }) => {
  const app = createApp(cluster.url) // its limit is one second
  await using load = cluster.load({ send: app.post })
  await load.acknowledges(20)
  const hole = await cluster.blackHole()
  await expect(load.acknowledges(20, { timeoutMs: 300 })).rejects.toThrow('so far')
  await hole.heal()
  await load.acknowledges(20)
  const outcome = await load.judge({ table: 'orders' })
  expect(outcome.writes.indeterminate, 'the answers were late, and there').toBe(0)
})

test('in a longer one the application gives up, and does not know', async ({ cluster, expect }) => {
  const app = createApp(cluster.url)
  await using load = cluster.load({ send: app.post })
  await load.acknowledges(20)
  const hole = await cluster.blackHole()
  await expect(load.acknowledges(20, { timeoutMs: 2_500 })).rejects.toThrow('so far')
  await hole.heal()
  await load.acknowledges(20)
  const outcome = await load.judge({ table: 'orders' })
  expect(outcome).toHaveLostNothing()
  expect(outcome.writes.indeterminate).toBeGreaterThan(0)
})
