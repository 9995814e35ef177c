/**
 * The router: writes follow the primary, and reads on standbys see what was written.
 */
import { createRouter, IndeterminateWriteError, RouterError } from 'pg-failover-lab/router'
import type { TestCluster } from 'pg-failover-lab'
import { clusterTest } from 'pg-failover-lab/vitest'

const test = clusterTest({ schema: 'CREATE TABLE users (id text PRIMARY KEY, name text)' })

/** Every server, and a role that may see how far each is, and of which history. */
async function openRouter(cluster: TestCluster) {
  const role = `CREATE ROLE watcher LOGIN REPLICATION IN ROLE pg_monitor PASSWORD 'watching'`
  await cluster.query(role, [], { as: 'superuser' })
  await cluster.waitForCatchUp()
  return createRouter({
    connectionStrings: ['primary', 'replica1', 'replica2'].map(node => cluster.urlOf(node)),
    monitor: { user: 'watcher', password: 'watching' },
  })
}

test('users read what they wrote, also through a crash', async ({ cluster, expect }) => {
  await using router = await openRouter(cluster)
  let unseen = 0
  const signUp = async (id: string): Promise<void> => {
    const { token } = await router.write('INSERT INTO users VALUES ($1, $2)', [id, 'Ada'])
    const { rows } = await router.read('SELECT name FROM users WHERE id = $1', [id], { after: token })
    if (rows.length === 0) unseen++
  }
  await using load = cluster.load({ send: signUp })
  await load.acknowledges(50)
  await cluster.failover({ fault: 'crash' })
  await load.acknowledges(50)
  expect(await load.judge({ table: 'users' })).toHaveLostNothing()
  expect(unseen).toBe(0)
})

test('a switchover fails nothing: writes wait for it', async ({ cluster, expect }) => {
  await using router = await openRouter(cluster)
  const send = (id: string) => router.write('INSERT INTO users VALUES ($1)', [id])
  await using load = cluster.load({ send })
  await load.acknowledges(50)
  await router.hold() // until those that were sent have their answers
  try {
    await cluster.switchover()
  } finally {
    router.release() // to the new primary, or to the old one if it was given up
  }
  await load.acknowledges(50)
  const { writes } = await load.judge({ table: 'users' })
  expect(writes).toMatchObject({ failed: 0, indeterminate: 0, lost: 0 })
})

test('what nobody knows is said, and what is lost', async ({ cluster, expect }) => {
  await using router = await openRouter(cluster)
  await using _cut = await cluster.cutFromWal()
  const { token } = await router.write('INSERT INTO users VALUES ($1, $2)', ['1', 'Ada'])
  await cluster.crash('primary')
  await cluster.promote('replica1')
  try {
    await router.read('SELECT name FROM users WHERE id = $1', ['1'], { after: token })
    expect.unreachable('the write is gone')
  } catch (error) {
    if (error instanceof IndeterminateWriteError) throw error // only a write throws that: it may have happened
    if (!(error instanceof RouterError)) throw error
    expect(error.code).toBe('WRITE_LOST')
  }
})
