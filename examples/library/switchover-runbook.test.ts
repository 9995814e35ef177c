/**
 * How do I test my switchover runbook? Under load, on the settings that you run.
 */
import { clusterTest } from 'pg-failover-lab/vitest'
import { createApp } from './app.ts'

const test = clusterTest({
  schema: 'CREATE TABLE orders (id text PRIMARY KEY, item text)',
  settings: { checkpoint_timeout: '30min', max_wal_size: '4GB' },
  synchronous: 'one',
})

test('the primary and a standby change places, and back, under load', async ({ cluster, expect }) => {
  const app = createApp(cluster.url)
  await using load = cluster.load({ send: app.post })
  await load.acknowledges(50)
  const there = await cluster.switchover()
  await load.acknowledges(50)
  await cluster.switchover({ to: there.oldPrimary })
  await load.acknowledges(50)
  const outcome = await load.judge({ table: 'orders' })
  expect(outcome).toHaveLostNothing()
  expect(outcome).toHaveRecoveredWithin(5_000)
  await expect(cluster).toBeStreaming()
})
