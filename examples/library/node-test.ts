/**
 * Without vitest: node's own test runner. Jest, with ESM, has the same names.
 */
import assert from 'node:assert/strict'
import { after, before, beforeEach, describe, it } from 'node:test'
import { startCluster, type TestCluster } from 'pg-failover-lab'

describe('orders', () => {
  let cluster: TestCluster
  before(async () => {
    cluster = await startCluster({ schema: 'CREATE TABLE orders (id text PRIMARY KEY)' })
  })
  beforeEach(() => cluster.reset())
  after(() => cluster.dispose())

  it('are there after a switchover', async () => {
    const load = cluster.load({ sql: 'INSERT INTO orders VALUES ($1)' })
    await load.acknowledges(20)
    await cluster.switchover()
    await load.acknowledges(20)
    const { verdict, writes } = await load.judge({ table: 'orders' })
    assert.equal(verdict, 'durable', JSON.stringify(writes))
  })
})
