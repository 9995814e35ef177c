/**
 * Which writes may I retry? Those that certainly did not happen, and those that do no harm twice.
 */
import pg from 'pg'
import { clusterTest } from 'pg-failover-lab/vitest'

const test = clusterTest({
  schema: 'CREATE TABLE payments (id text, amount int); CREATE TABLE orders (id text PRIMARY KEY)',
})

/** Sends a statement, and once more where no answer has come. */
function createRetrying(url: string, statement: string) {
  const pool = new pg.Pool({ connectionString: url, query_timeout: 200, connectionTimeoutMillis: 1_000 })
  pool.on('error', () => undefined)
  return async (id: string): Promise<void> => {
    for (let attempt = 1; ; attempt++) {
      try {
        await pool.query(statement, [id])
        return
      } catch (error) {
        if (attempt === 20) throw error
      }
    }
  }
}

test('a blind retry writes twice: the answer was lost, and not the write', async ({ cluster, expect }) => {
  const pay = createRetrying(cluster.url, 'INSERT INTO payments VALUES ($1, 100)')
  await using load = cluster.load({ send: pay, ratePerSecond: 20 })
  await load.acknowledges(5)
  {
    await using _deaf = await cluster.blackHole('primary', { direction: 'out' }) // what it answers does not arrive
    await expect(load.acknowledges(10, { timeoutMs: 1_000 })).rejects.toThrow('so far')
  }
  await load.acknowledges(5)
  const outcome = await load.judge({ table: 'payments' })
  expect(outcome.writes.duplicates).toBeGreaterThan(0)
})

test('with a key of its own a write may be sent as often as it takes', async ({ cluster, expect }) => {
  const order = createRetrying(cluster.url, 'INSERT INTO orders VALUES ($1) ON CONFLICT DO NOTHING')
  await using load = cluster.load({ send: order, ratePerSecond: 20 })
  await load.acknowledges(5)
  await cluster.failover({ fault: 'crash' })
  await load.acknowledges(20)
  const outcome = await load.judge({ table: 'orders' })
  expect(outcome).toHaveLostNothing()
  expect(outcome).toHaveDuplicatedNothing()
})
