/**
 * Writes through the router, on servers that crash, stand still and change places.
 */
import { expect, test } from 'vitest'
import { createRouter } from '../../src/router/index.ts'
import { COUNT, INSERT, MONITOR, nameIn, routerOf, seenBy, startWithMonitor, until } from '../support/routers.ts'
import { ALSO_ON_DOCKER, describeEachRuntime } from '../support/runtimes.ts'

describeEachRuntime(
  'the router',
  runtime => {
    test('leads writes through a crash, and reads what was written from standbys', async () => {
      await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    const slow = { text: 'SELECT pg_sleep(0.6)', query_timeout: 20_000 }
    await expect(router.write(slow), 'its own limit, not that of the others').resolves.toMatchObject({ rowCount: 1 })
    // Sent, and nobody is there to send it to again: it may have happened all the same.
    await cluster.blackHole('primary', { direction: 'out' })
    // What is known of the position is too old by now: it is asked with the write, and that answer is missed first.
    const knownAt = performance.now()
    while (performance.now() - knownAt < 50) await cluster.query('SELECT 1', [], { node: 'replica1', as: 'superuser' })
    const given = router.write(INSERT, ['4'], { idempotent: true })
    await expect(given).rejects.toMatchObject({ code: 'INDETERMINATE', reason: 'Query read timeout' })
  })

  test('a transaction of the application’s own that is read-only is its own error', async () => {
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
    await using router = routerOf(cluster)
    await router.hold({ limitMs: 200 })
    const waiting = router.write(INSERT, ['1'])
    expect(router.status()).toMatchObject({ isHeld: true, waiting: 1 })
    await waiting
    expect(router.status()).toMatchObject({ isHeld: false, waiting: 0 })
  })

  test('never goes back to a former primary, and says why there is none', async () => {
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
