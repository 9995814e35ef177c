/**
 * Reads through the router, on standbys that are late, cut off or gone, and on servers with two histories.
 */
import pg from 'pg'
import { expect, test } from 'vitest'
import { type RouterOptions } from '../../src/router/index.ts'
import { met, notMet, waitUntil } from '../../src/wait.ts'
import { COUNT, fitStandbys, INSERT, nameIn, routerOf, seenBy, startWithMonitor, until } from '../support/routers.ts'
import { describeEachRuntime } from '../support/runtimes.ts'

describeEachRuntime('reads through the router', runtime => {
  test('leave a standby that is dead, and one that is late until it is late no more', async () => {
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
    await using router = routerOf(cluster, { maxLagMs: 300 })
    await using _cut = await cluster.cutFromWal()
    await router.write(INSERT, ['1'])
    await until(router, 'no standby', status => fitStandbys(status) === 0)
    expect((await router.read('SELECT 1')).role).toBe('primary')
  })

  test('a frozen standby holds up nobody, and comes back', async () => {
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
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
    await using cluster = await startWithMonitor(runtime)
    await using router = routerOf(cluster)
    const { token } = await router.write(INSERT, ['1'])
    const [version, , ...rest] = token.split('.')
    await expect(seenBy(router, '1', [version, '123', ...rest].join('.'))).rejects.toMatchObject({
      code: 'FOREIGN_TOKEN',
    })
    await expect(seenBy(router, '1', '0/3000148')).rejects.toMatchObject({ code: 'FOREIGN_TOKEN' })
  })

  test('a statement that writes is not for reading', async () => {
    await using cluster = await startWithMonitor(runtime)
    await using router = routerOf(cluster)
    await until(router, 'two standbys', status => fitStandbys(status) === 2)
    await expect(router.read(INSERT, ['1'])).rejects.toBeInstanceOf(pg.DatabaseError)
  })
})
