/**
 * The router, on servers that crash, stand still, change places and have two histories.
 */
import pg from 'pg'
import { expect, test } from 'vitest'
import { startCluster, type StartOptions, type TestCluster } from '../../src/index.ts'
import { createRouter, type Router, type RouterOptions } from '../../src/router/index.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  TEST_PREFIX,
  testEnvironment,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const MONITOR = { user: 'watcher', password: 'watching' }
const INSERT = 'INSERT INTO orders (id) VALUES ($1)'
const COUNT = 'SELECT count(*)::int AS n FROM orders WHERE id = $1'

async function start(runtime: TestRuntime, options: StartOptions = {}): Promise<TestCluster> {
  const cluster = await startCluster({
    ...{ name: TEST_PREFIX, environment: testEnvironment(runtime), timeoutMs: TIMEOUT_MS },
    runtime: runtime === 'docker' ? 'docker' : 'local',
    schema: 'CREATE TABLE orders (id text)',
    ...options,
  })
  const role = `CREATE ROLE watcher LOGIN REPLICATION IN ROLE pg_monitor PASSWORD 'watching'`
  await cluster.query(role, [], { as: 'superuser' })
  await cluster.waitForCatchUp()
  return cluster
}

/** Over the nodes' own addresses: what is done to them is done to its connections. */
function routerOf(
  cluster: TestCluster,
  options: Partial<RouterOptions> & { readonly nodes?: readonly string[] } = {},
): Router {
  const { nodes = ['primary', 'replica1', 'replica2'], ...rest } = options
  return createRouter({
    connectionStrings: nodes.map(node => cluster.urlOf(node)),
    ...{ monitor: MONITOR, checkEveryMs: 100, silenceMs: 500 },
    ...rest,
  })
}

const nameIn = (cluster: TestCluster, address: string | undefined): string | undefined =>
  ['primary', 'replica1', 'replica2'].find(node => new URL(cluster.urlOf(node)).host === address)

/** Until the router says so of its hosts. */
const until = (
  router: Router,
  what: string,
  holds: (status: ReturnType<Router['status']>) => boolean,
): Promise<unknown> =>
  waitUntil(
    {
      what,
      observe: async () => (holds(router.status()) ? met(undefined) : notMet(JSON.stringify(router.status().nodes))),
    },
    { timeoutMs: 20_000, intervalMs: 5 },
  )

const fitStandbys = ({ nodes }: ReturnType<Router['status']>): number =>
  nodes.filter(node => node.role === 'standby' && node.unfit === undefined).length

const seenBy = async (router: Router, id: string, after: string) => {
  const { rows, role, node } = await router.read<{ n: number }>(COUNT, [id], { after })
  return { n: rows[0]!.n, role, node }
}

describeEachRuntime(
  'the router',
  runtime => {
    test('leads writes through a crash, and reads what was written from standbys', async () => {
      await using cluster = await start(runtime)
      await using router = routerOf(cluster)
      let unseen = 0
      const send = async (id: string): Promise<void> => {
        const { token } = await router.write(INSERT, [id])
        const { n } = await seenBy(router, id, token)
        if (n !== 1) unseen++
      }
      await using load = cluster.load({ send, ratePerSecond: 100 })
      await load.acknowledges(50)
      await cluster.failover({ fault: 'crash' })
      await load.acknowledges(50)
      const { writes } = await load.judge({ table: 'orders' })
      expect(writes).toMatchObject({ lost: 0, duplicates: 0 })
      expect(unseen).toBe(0)
      const { reads } = router.status()
      expect(Object.keys(reads).length, 'more than one node has answered').toBeGreaterThan(1)
    })
  },
  ALSO_ON_DOCKER,
)

describeEachRuntime('writes through the router', runtime => {
  test('a pool keeps no session with a server that is a standby now, though nobody says why it is given back', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    const pool = router.pool('write')
    const clients = await Promise.all(Array.from({ length: 5 }, () => pool.connect()))
    for (const client of clients) client.release()
    await cluster.switchover({ to: 'replica1' })
    for (let id = 0; id < 10; id++) {
      const client = await pool.connect()
      await client.query(INSERT, [String(id)]).finally(() => client.release())
    }
    const sessions = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE usename = 'app'`
    const [left] = await cluster.query<{ n: number }>(sessions, [], { node: 'primary', as: 'superuser' })
    expect(left?.n).toBe(0)
    expect(nameIn(cluster, router.status().primary)).toBe('replica1')
  })

  test('a client that listens on a primary which stands still learns of its end when another is promoted', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    const client = await router.pool('write').connect()
    await client.query('LISTEN something')
    const ended = new Promise<void>(resolve => client.once('end', () => resolve()))
    await using _frozen = await cluster.freeze('primary')
    await cluster.promote('replica1')
    await ended
    client.release(true)
    await router.write(INSERT, ['1'])
    expect(nameIn(cluster, router.status().primary)).toBe('replica1')
  })

  test('an answer that does not come is indeterminate, and sent again only where that does no harm', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster, { statementTimeoutMs: 300, findTimeoutMs: 3_000 })
    await router.write(INSERT, ['0'])
    {
      await using _deaf = await cluster.blackHole('primary', { direction: 'out' })
      await expect(router.write(INSERT, ['1'])).rejects.toMatchObject({
        code: 'INDETERMINATE',
        reason: 'Query read timeout',
      })
    }
    await router.write(INSERT, ['2'])
    const hole = await cluster.blackHole('primary', { direction: 'out' })
    const again = router.write(INSERT, ['3'], { idempotent: true })
    await until(router, 'the write to be sent again', ({ primary }) => primary === undefined)
    await hole.heal()
    await again
    const rows = await cluster.query<{ id: string; n: number }>(
      'SELECT id, count(*)::int AS n FROM orders GROUP BY id ORDER BY id',
    )
    // 1 and 3 had arrived: an answer was lost, not a write.
    expect(rows).toEqual([
      { id: '0', n: 1 },
      { id: '1', n: 1 },
      { id: '2', n: 1 },
      { id: '3', n: 2 },
    ])
    expect(router.status().writes.indeterminate).toBe(1)
    // Sent, and nobody is there to send it to again: it may have happened all the same.
    await cluster.blackHole('primary', { direction: 'out' })
    const given = router.write(INSERT, ['4'], { idempotent: true })
    await expect(given).rejects.toMatchObject({ code: 'INDETERMINATE', reason: 'Query read timeout' })
  })

  test('a transaction of the application’s own that is read-only is its own error', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    const readOnly = router.transaction(async client => {
      await client.query('SET TRANSACTION READ ONLY')
      await client.query(INSERT, ['1'])
    })
    await expect(readOnly).rejects.toMatchObject({ code: '25006' })
    await expect(router.write('INSERT INTO nowhere VALUES (1)')).rejects.toMatchObject({ code: '42P01' })
    await router.write(INSERT, ['2'])
  })

  test('a transaction is begun anew on the next primary, and one that swallowed an error is not called done', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    let calls = 0
    const { value } = await router.transaction(async client => {
      await client.query(INSERT, ['1'])
      calls++
      if (calls === 1) await cluster.failover({ fault: 'crash' })
      await client.query(INSERT, ['2'])
      return calls
    })
    expect(value).toBe(2)
    expect(await cluster.query('SELECT id FROM orders ORDER BY id')).toEqual([{ id: '1' }, { id: '2' }])
    const swallowed = router.transaction(async client => {
      await client.query('INSERT INTO nowhere VALUES (1)').catch(() => undefined)
    })
    await expect(swallowed).rejects.toMatchObject({ code: 'ROLLED_BACK' })
    const thrown = router.transaction(async client => {
      await client.query(INSERT, ['3'])
      throw Object.assign(new Error('out of stock'), { code: 'ENOSTOCK' })
    })
    await expect(thrown).rejects.toThrow('out of stock')
    expect(await cluster.query(COUNT, ['3'])).toEqual([{ n: 0 }])
  })

  test('waits in a hold, so a switchover fails nothing; and goes on with the old primary when it is given up', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    await using load = cluster.load({ send: id => router.write(INSERT, [id]), ratePerSecond: 200 })
    await load.acknowledges(50)
    expect(await router.hold()).toEqual({ inFlight: 0 })
    await until(router, 'writes to wait', ({ waiting }) => waiting > 3)
    router.release()
    await load.acknowledges(50)
    await router.hold()
    await cluster.switchover({ to: 'replica1' })
    router.release()
    await load.acknowledges(50)
    const { writes } = await load.judge({ table: 'orders' })
    expect(writes).toMatchObject({ lost: 0, failed: 0, indeterminate: 0, duplicates: 0 })
    expect(nameIn(cluster, router.status().primary)).toBe('replica1')
  })

  test('a hold that nobody ends does', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    await router.hold({ limitMs: 200 })
    await router.write(INSERT, ['1'])
  })

  test('never goes back to a former primary, and says why there is none', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster, { findTimeoutMs: 1_000 })
    await cluster.promote('replica1')
    await until(router, 'the new primary', ({ primary }) => nameIn(cluster, primary) === 'replica1')
    expect(router.status().nodes).toContainEqual(expect.objectContaining({ role: 'other primary', timeline: 1 }))
    await cluster.crash('replica1')
    await expect(router.write(INSERT, ['1'])).rejects.toMatchObject({
      code: 'NO_PRIMARY',
      message: expect.stringContaining('timeline 2 was seen before'),
    })
  })

  test('what is refused, or not there, never ends the process', async () => {
    await using cluster = await start(runtime)
    const wrong = { connectionStrings: [cluster.urlOf('primary').replace(/:[^:@]+@/, ':wrong@')], findTimeoutMs: 300 }
    await using router = createRouter({ ...wrong, silenceMs: 300 })
    await expect(router.write(INSERT, ['1'])).rejects.toMatchObject({
      code: 'NO_PRIMARY',
      message: expect.stringMatching(/password authentication failed/),
    })
    await expect(router.read(COUNT, ['1'])).rejects.toMatchObject({ code: 'NO_PRIMARY' })
    await router.end()
    await expect(router.write(INSERT, ['1'])).rejects.toThrow()
  })

  test('takes hosts and a password; where that is missing for writes alone, says so at once', async () => {
    await using cluster = await start(runtime)
    const { host, port, user, password, database } = cluster.connectionConfig
    const config = { hosts: [{ host, port }], user, database, monitor: MONITOR }
    await using router = createRouter({ ...config, password })
    expect((await router.write(INSERT, ['1'])).rowCount).toBe(1)
    await using without = createRouter({ ...config, password: '' })
    await expect(without.write(INSERT, ['2'])).rejects.toThrow(/password/)
    const sessions = `SELECT count(*)::int AS n FROM pg_stat_activity WHERE backend_type = 'client backend'`
    const [open] = await cluster.query<{ n: number }>(sessions, [], { as: 'superuser' })
    expect(open?.n, 'nothing is left half open').toBeLessThan(10)
  })
})

describeEachRuntime('reads through the router', runtime => {
  test('leave a standby that is dead, and one that is late until it is late no more', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster, { maxLagMs: 300 })
    await until(router, 'two standbys', status => fitStandbys(status) === 2)
    await cluster.crash('replica2')
    for (let id = 0; id < 20; id++) await router.read('SELECT 1')
    await until(router, 'one standby', status => fitStandbys(status) === 1)
    const held = await cluster.holdReplay('replica1')
    await router.write(INSERT, ['1'])
    await until(router, 'no standby', status => fitStandbys(status) === 0)
    expect((await router.read('SELECT 1')).role).toBe('primary')
    await held.heal()
    await until(router, 'one standby again', status => fitStandbys(status) === 1)
  })

  test('one that is cut off is late, though it has all that it ever received', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster, { maxLagMs: 300 })
    await using _cut = await cluster.cutFromWal()
    await router.write(INSERT, ['1'])
    await until(router, 'no standby', status => fitStandbys(status) === 0)
    expect((await router.read('SELECT 1')).role).toBe('primary')
  })

  test('a frozen standby holds up nobody, and comes back', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    await until(router, 'two standbys', status => fitStandbys(status) === 2)
    const frozen = await cluster.freeze('replica1')
    const answers = await Promise.all(Array.from({ length: 10 }, () => router.read('SELECT 1')))
    expect(answers).toHaveLength(10)
    await until(router, 'one standby', status => fitStandbys(status) === 1)
    await frozen.heal()
    await until(router, 'two standbys again', status => fitStandbys(status) === 2)
  })

  test('with a token wait for the standby that has the write, else go to the primary', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    {
      await using _first = await cluster.holdReplay('replica1')
      await using _second = await cluster.holdReplay('replica2')
      const { token } = await router.write(INSERT, ['1'])
      expect(await seenBy(router, '1', token)).toMatchObject({ n: 1, role: 'primary' })
      expect((await router.read<{ n: number }>(COUNT, ['1'])).rows, 'without one: yesterday').toEqual([{ n: 0 }])
    }
    await using _first = await cluster.holdReplay('replica1')
    const { token } = await router.write(INSERT, ['2'])
    const { node, ...seen } = await seenBy(router, '2', token)
    expect({ ...seen, node: nameIn(cluster, node) }).toEqual({ n: 1, role: 'standby', node: 'replica2' })
  })

  test('what a failover left behind is lost, and a token says so', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    const { token: kept } = await router.write(INSERT, ['kept'])
    await cluster.waitForCatchUp()
    const cut = await cluster.cutFromWal()
    const { token: lost } = await router.write(INSERT, ['lost'])
    await cluster.crash('primary')
    await cluster.promote('replica1')
    const { token: after } = await router.write(INSERT, ['after'])
    await expect(seenBy(router, 'lost', lost)).rejects.toMatchObject({ code: 'WRITE_LOST' })
    expect(await seenBy(router, 'kept', kept)).toMatchObject({ n: 1 })
    expect(await seenBy(router, 'after', after)).toMatchObject({ n: 1 })
    await cut.heal().catch(() => undefined)
    // As one who has seen nothing of it, and reads the history of the timelines.
    await using stranger = routerOf(cluster)
    await expect(seenBy(stranger, 'lost', lost)).rejects.toMatchObject({ code: 'WRITE_LOST' })
    expect(await seenBy(stranger, 'kept', kept)).toMatchObject({ n: 1 })
    expect(await seenBy(stranger, 'after', after)).toMatchObject({ n: 1 })
  })

  test('is lost, and not unknown, also where the router had not looked for long', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster, { checkEveryMs: 60_000 })
    await router.primary()
    await cluster.query(INSERT, ['of somebody else'])
    await cluster.waitForCatchUp()
    await using _cut = await cluster.cutFromWal()
    const { token } = await router.write(INSERT, ['lost'])
    await cluster.crash('primary')
    await cluster.promote('replica1')
    await expect(seenBy(router, 'lost', token)).rejects.toMatchObject({ code: 'WRITE_LOST' })
  })

  test('two promotions that chose one number are two histories', async () => {
    await using cluster = await start(runtime)
    await using _late = await cluster.cutFromWal(['replica2'])
    await cluster.query(INSERT, ['only replica1 has it'])
    await waitUntil(
      {
        what: 'replica1 to have it',
        observe: async () => {
          const rows = await cluster.query('SELECT 1 FROM orders', [], { node: 'replica1' })
          return rows.length === 1 ? met(undefined) : notMet('no row')
        },
      },
      { timeoutMs: 10_000 },
    )
    await cluster.crash('primary')
    expect([await cluster.promote('replica1'), await cluster.promote('replica2')]).toEqual([2, 2])
    await using one = routerOf(cluster, { nodes: ['replica1'] })
    await using other = routerOf(cluster, { nodes: ['replica2'] })
    const { token } = await one.write(INSERT, ['1'])
    for (let id = 0; id < 50; id++) await other.write(INSERT, ['further on than the token'])
    expect(await seenBy(one, '1', token)).toMatchObject({ n: 1 })
    await expect(seenBy(other, '1', token)).rejects.toMatchObject({ code: 'WRITE_LOST' })
    await using both = routerOf(cluster, { nodes: ['replica1', 'replica2'], findTimeoutMs: 500 })
    await expect(both.write(INSERT, ['2'])).rejects.toMatchObject({
      message: expect.stringContaining('nobody can tell'),
    })
  })

  test('without rights to see the history, a token leads to the primary, and never to chance', async () => {
    await using cluster = await start(runtime)
    const own = { monitor: undefined } as unknown as Partial<RouterOptions>
    await using router = routerOf(cluster, own)
    const { token } = await router.write(INSERT, ['1'])
    expect(await seenBy(router, '1', token)).toMatchObject({ n: 1, role: 'primary' })
    await cluster.failover({ fault: 'crash' })
    const { token: next } = await router.write(INSERT, ['2'])
    expect(await seenBy(router, '1', token)).toMatchObject({ n: 1, role: 'primary' })
    expect(await seenBy(router, '2', next)).toMatchObject({ n: 1, role: 'primary' })
    await using stranger = routerOf(cluster, own)
    expect(await seenBy(stranger, '2', next), 'the same run of the server').toMatchObject({ n: 1, role: 'primary' })
    await expect(seenBy(stranger, '1', token)).rejects.toMatchObject({ code: 'WRITE_UNKNOWN' })
  })

  test('a token of another cluster, and what is no token, are refused', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    const { token } = await router.write(INSERT, ['1'])
    const [version, , ...rest] = token.split('.')
    await expect(seenBy(router, '1', [version, '123', ...rest].join('.'))).rejects.toMatchObject({
      code: 'FOREIGN_TOKEN',
    })
    await expect(seenBy(router, '1', '0/3000148')).rejects.toMatchObject({ code: 'FOREIGN_TOKEN' })
  })

  test('a statement that writes is not for reading', async () => {
    await using cluster = await start(runtime)
    await using router = routerOf(cluster)
    await until(router, 'two standbys', status => fitStandbys(status) === 2)
    await expect(router.read(INSERT, ['1'])).rejects.toBeInstanceOf(pg.DatabaseError)
  })
})
