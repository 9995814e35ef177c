/**
 * My app stays on a read-only server: a pool keeps a session with a server that was the primary once.
 */
import pg from 'pg'
import type { OpenAddress } from 'pg-failover-lab'
import { clusterTest } from 'pg-failover-lab/vitest'

const test = clusterTest({ schema: 'CREATE TABLE orders (id text PRIMARY KEY)' })

/** Writes over one connection, as `connect()` and `release()` do it; `dropOn` says after which errors it is not kept. */
function createApp({ url }: OpenAddress, dropOn: (error: unknown) => boolean) {
  const pool = new pg.Pool({ connectionString: url, max: 1, connectionTimeoutMillis: 1_000 })
  pool.on('error', () => undefined)
  return async (id: string): Promise<void> => {
    const client = await pool.connect()
    let isDropped = false
    try {
      await client.query('INSERT INTO orders (id) VALUES ($1)', [id])
    } catch (error) {
      isDropped = dropOn(error)
      throw error
    } finally {
      client.release(isDropped)
    }
  }
}

const codeOf = (error: unknown): unknown => (error as { readonly code?: unknown }).code

test('a session with a former primary is kept, and refuses every write', async ({ cluster, expect }) => {
  await using address = await cluster.openAddress({ moveAfterMs: 'never' }) // until somebody moves it
  const post = createApp(address, () => false)
  await cluster.switchover() // the old primary is back, as a standby, before the address moves
  await expect(post('1')).rejects.toMatchObject({ code: '25006' })
  address.move()
  await expect(post('2')).rejects.toMatchObject({ code: '25006' })
})

test('a session is given up when its server is read-only, and the next one is led to the primary', async ({
  cluster,
  expect,
}) => {
  await using address = await cluster.openAddress({ moveAfterMs: 'never' })
  const post = createApp(address, error => codeOf(error) === '25006')
  await cluster.switchover()
  await expect(post('1')).rejects.toMatchObject({ code: '25006' })
  address.move()
  await post('2')
})
