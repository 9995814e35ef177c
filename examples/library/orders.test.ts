import { clusterTest } from 'pg-failover-lab/vitest'
import { createApp } from './app.ts'

const test = clusterTest({ schema: 'CREATE TABLE orders (id text PRIMARY KEY, item text)' })

test('orders survive a crash', async ({ cluster, expect }) => {
  const app = createApp(cluster.url) // follows the primary, also through a failover
  await using load = cluster.load({ ratePerSecond: 100, send: (id, signal) => app.post(id, signal) })
  await load.acknowledges(50)
  await cluster.failover({ fault: 'crash' }) // crash, fence, promote; the address moves at the promotion
  await load.acknowledges(50)
  const outcome = await load.judge({ table: 'orders', id: 'id' })
  expect(outcome).toHaveLostNothing()
  expect(outcome).toHaveRecoveredWithin(2_000)
})
