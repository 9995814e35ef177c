/**
 * The cluster as an object: what a test of somebody else's application does with it.
 */
import pg from 'pg'
import { describe, expect, test } from 'vitest'
import { addReplica, changeSettings, type TestCluster } from '../../src/index.ts'
import { readKept } from '../../src/operations/salvage/keep.ts'
import { run } from '../../src/runtime/command.ts'
import { ROOT } from '../support/cli.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import {
  ALSO_ON_DOCKER,
  describeEachRuntime,
  startAsStranger,
  testEnvironment,
  TIMEOUT_MS,
  type TestRuntime,
} from '../support/runtimes.ts'

const ORDERS = { schema: 'CREATE TABLE orders (id text PRIMARY KEY)' }
const INSERT = 'INSERT INTO orders VALUES ($1)'

/** Asks who is at the other end of an address. */
async function nodeAt(url: string, limitMs = 5_000): Promise<string> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: limitMs })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<{ name: string }>("SELECT current_setting('cluster_name') AS name")
    return rows[0]!.name
  } finally {
    await client.end()
  }
}

describeEachRuntime(
  'a cluster of a test',
  runtime => {
    test('has addresses that follow the roles, and a load that is judged', async () => {
      await using cluster = await startAsStranger(runtime, ORDERS)
      const promotions: [string, number][] = []
      cluster.onPromotion(({ node, timeline }) => promotions.push([node, timeline]))
      expect(await nodeAt(cluster.url)).toBe('primary')
      expect(new Set([await nodeAt(cluster.readUrl), await nodeAt(cluster.readUrl)])).toEqual(
        new Set(['replica1', 'replica2']),
      )
      await using never = await cluster.openAddress({ moveAfterMs: 'never' })
      await using load = cluster.load({ sql: INSERT })
      await load.acknowledges(30)
      const { newPrimary, timeline } = await cluster.failover({ fault: 'crash', to: 'replica1' })
      expect(newPrimary).toBe('replica1')
      expect(await nodeAt(cluster.url)).toBe('replica1')
      expect(await nodeAt(cluster.urlOf('replica2'))).toBe('replica2')
      await expect(nodeAt(never.url), 'it leads to one server, which is gone').rejects.toThrow()
      expect(promotions).toEqual([['replica1', timeline.after]])
      await load.acknowledges(30)
      const outcome = await load.judge({ table: 'orders' })
      expect(outcome).toMatchObject({ verdict: 'durable', writes: { lost: 0, duplicates: 0, unexpected: 0 } })
      const { detectMs, fenceMs, promoteMs, firstWriteMs } = outcome.phases!
      expect(detectMs + fenceMs + promoteMs + firstWriteMs).toBeCloseTo(outcome.outageMs!, 6)

      await cluster.rejoin('primary')
      await cluster.waitUntilStreaming()
      expect((await cluster.standbys()).map(({ name }) => name)).toEqual(['primary', 'replica2'])
    })

    test('is as it was at its start after a reset, whatever was done to it', async () => {
      await using cluster = await startAsStranger(runtime, { ...ORDERS, databases: ['shop'], synchronous: 'one' })
      const before = await statusOf(cluster)
      const url = cluster.url
      await cluster.query(INSERT, ['1'])
      await cluster.query('CREATE TABLE other ()', [], { database: 'shop' })
      await cluster.query('CREATE ROLE somebody', [], { as: 'superuser' })
      await cluster.query("SELECT pg_create_physical_replication_slot('mine')", [], { as: 'superuser' })
      const settings = { work_mem: '9MB', synchronous_standby_names: null }
      await changeSettings(cluster.core, 'primary', { settings, timeoutMs: TIMEOUT_MS })
      await addReplica(cluster.core, { timeoutMs: TIMEOUT_MS })
      await cluster.failover({ to: 'replica2' })
      await cluster.freeze('replica1')

      await cluster.reset()
      expect(await statusOf(cluster)).toEqual(before)
      expect(cluster.url).toBe(url)
      expect(await nodeAt(url)).toBe('primary')
      expect(await cluster.query('SELECT * FROM orders')).toEqual([])
      expect(await cluster.query("SELECT FROM pg_roles WHERE rolname = 'somebody'")).toEqual([])
      expect(await cluster.query('SELECT FROM pg_tables WHERE tableowner = $1', ['app'], { database: 'shop' })).toEqual(
        [],
      )
      const [setting] = await cluster.query<{ work_mem: string }>('SHOW work_mem')
      expect(setting!.work_mem).toBe('4MB')
      expect(await readKept(cluster.core)).toEqual([])
      await cluster.query(INSERT, ['1'])
    })
  },
  ALSO_ON_DOCKER,
)

/** Names, roles, timelines, slots and what commits wait for. */
const statusOf = async (cluster: TestCluster): Promise<unknown> =>
  (await cluster.status()).map(status =>
    status.role === 'unreachable'
      ? status
      : [
          ...[status.name, status.role, status.timeline, status.port],
          status.slots.map(({ slotName, active }) => [slotName, active]),
          status.role === 'primary' ? [status.synchronousStandbyNames, status.synchronousCommit] : [],
        ],
  )

describeEachRuntime('a fault of a test', runtime => {
  test('is in effect until its scope ends', async () => {
    await using cluster = await startAsStranger(runtime, ORDERS)
    {
      await using _held = await cluster.holdReplay('replica1')
      await cluster.query(INSERT, ['1'])
      expect(await cluster.query('SELECT id FROM orders', [], { node: 'replica1' })).toEqual([])
      const { replica1 } = await cluster.lag()
      expect(replica1!.toReplay).toBeGreaterThan(0)
    }
    await cluster.waitForCatchUp()
    expect(await cluster.query('SELECT id FROM orders', [], { node: 'replica1' })).toEqual([{ id: '1' }])

    const frozen = await cluster.freeze('replica2')
    expect(await cluster.core.runtime.state('replica2')).toBe('frozen')
    await frozen.heal()
    await frozen.heal()
    expect(await cluster.core.runtime.state('replica2')).toBe('running')

    const hole = await cluster.blackHole('primary')
    await expect(nodeAt(cluster.url, 200), 'nobody answers').rejects.toThrow('timeout')
    await hole.heal()
    expect(await nodeAt(cluster.url)).toBe('primary')
    {
      await using _slow = await cluster.slow('primary', { latencyMs: 100 })
      await expect(nodeAt(cluster.url, 150), 'a round trip takes twice as long').rejects.toThrow('timeout')
    }
    {
      await using _isolated = await cluster.isolate('replica1')
      await cluster.query(INSERT, ['2'])
      const { replica1 } = await cluster.lag()
      expect(replica1!.toReceive).toBeGreaterThan(0)
      expect(await nodeAt(cluster.urlOf('replica1')), 'clients reach it').toBe('replica1')
    }
    await cluster.waitUntilStreaming()
    await cluster.waitForCatchUp()
    await catchLabError('UNKNOWN_NODE', () => cluster.freeze('nobody'))
    await catchLabError('UNKNOWN_NODE', () => cluster.failover({ to: 'primary' }))
    expect(await cluster.core.runtime.state('primary'), 'nobody was struck').toBe('running')
  })

  test('that has taken the primary away is followed by a failover, without another one', async () => {
    await using cluster = await startAsStranger(runtime, ORDERS)
    await using load = cluster.load({ sql: INSERT, ratePerSecond: 200 })
    await load.acknowledges(20)
    await using cut = await cluster.cutFromWal()
    await load.acknowledges(20)
    await cluster.crash()
    await cut.heal()
    await cluster.failover({ fault: 'none' })
    await load.acknowledges(20)
    const { verdict, lostIds, writes } = await load.judge({ table: 'orders' })
    expect(verdict).toBe('lost-writes')
    expect(writes.lost).toBeGreaterThanOrEqual(20)
    expect(lostIds).toHaveLength(writes.lost)
  })
})

describeEachRuntime('an address', runtime => {
  test('leads to the one that was promoted last, also where two promotions chose one timeline', async () => {
    await using cluster = await startAsStranger(runtime)
    const frozen = await cluster.freeze('replica2')
    await cluster.crash('primary')
    expect(await cluster.promote('replica1')).toBe(2)
    expect(await nodeAt(cluster.url)).toBe('replica1')
    await cluster.crash('replica1')
    await frozen.heal() // it has never heard of that timeline
    expect(await cluster.promote('replica2')).toBe(2)
    expect(await nodeAt(cluster.url)).toBe('replica2')
  })
})

describeEachRuntime('a cluster by what it is to be', runtime => {
  test.each([1, 3])('has as many replicas as that: %i', async replicas => {
    await using cluster = await startAsStranger(runtime, {
      replicas,
      settings: { max_connections: 42, 'my.own': "it's $1" },
    })
    await cluster.waitUntilStreaming()
    expect(await cluster.standbys()).toHaveLength(replicas)
    for (const { name } of await cluster.status()) {
      const question = "SELECT current_setting('max_connections') AS most, current_setting('my.own') AS own"
      expect(await cluster.query(question, [], { node: name })).toEqual([{ most: '42', own: "it's $1" }])
    }
    const { newPrimary } = await cluster.failover()
    await cluster.rejoin('primary')
    await cluster.waitUntilStreaming()
    await cluster.reset()
    expect(await nodeAt(cluster.url)).toBe('primary')
    expect(newPrimary).not.toBe('primary')
  })

  test('has the schema of a function, and the version that is asked for, or is refused', async () => {
    const major = (await installedVersion(runtime)).split('.')[0]!
    const schema = (made: TestCluster): Promise<unknown> => made.query('CREATE TABLE made ()')
    await using cluster = await startAsStranger(runtime, { postgres: major, schema })
    const { serverVersion } = await cluster.primary()
    expect(serverVersion.split('.')[0]).toBe(major)
    expect(await cluster.query('SELECT FROM made', [], { node: 'replica2' })).toEqual([])
    const error = await catchLabError('NO_RUNTIME', () => startAsStranger(runtime, { postgres: '11' }))
    expect(error.message).toBe('there is no complete PostgreSQL 11 on this machine')
    await catchLabError('USAGE', () => startAsStranger(runtime, { postgres: 'newest' }))
    await catchLabError('USAGE', () => startAsStranger(runtime, { replicas: 0 }))
    await catchLabError('USAGE', () => startAsStranger(runtime, { settings: { 'x; y': 1 } }))
  })
})

async function installedVersion(runtime: TestRuntime): Promise<string> {
  await using cluster = await startAsStranger(runtime)
  return (await cluster.primary()).serverVersion
}

describeEachRuntime('a test without vitest', runtime => {
  test("has the same cluster under node's own test runner", async () => {
    const environment = { ...testEnvironment(runtime), LAB_RUNTIME: runtime, NODE_TEST_CONTEXT: undefined }
    const argv = [process.execPath, '--import', 'tsx', '--test', 'examples/library/node-test.ts'] as const
    const { exitCode, stdout, stderr } = await run([...argv], { environment, cwd: ROOT, timeoutMs: TIMEOUT_MS })
    expect({ exitCode, stderr }, stdout).toEqual({ exitCode: 0, stderr: '' })
    expect(stdout).toMatch(/pass 1\n/)
  })
})

describeEachRuntime('a load', runtime => {
  test('is judged by what the application says, and never well for want of evidence', async () => {
    await using cluster = await startAsStranger(runtime, ORDERS)
    await using untouched = cluster.load({ sql: INSERT })
    await untouched.acknowledges(10)
    const quiet = await untouched.judge({ table: 'orders' })
    expect(quiet).toMatchObject({ verdict: 'unknown', why: 'no fault happened', outageMs: null })
    const refused = await catchLabError('USAGE', () => untouched.judge({ table: 'nowhere' }))
    expect(refused.message).toBe('the ids in nowhere cannot be counted: relation "nowhere" does not exist')

    const kept: string[] = []
    const answers = [200, 503, 201, 404] as const
    let at = 0
    await using load = cluster.load({
      ratePerSecond: 200,
      outcomeOf: settled => ('error' in settled ? 'failed' : 'acknowledged'),
      send: async id => {
        const status = answers[at++ % answers.length]!
        if (status === 404) throw Object.assign(new Error('not there'), { code: 'E404' })
        kept.push(id)
        return { status }
      },
    })
    await load.acknowledges(30)
    await cluster.crash('replica1')
    await load.acknowledges(3)
    const judged = await load.judge({ survivors: () => [...kept.slice(1), kept[2]!, 'not ours'] })
    expect(judged.writes).toMatchObject({ lost: 1, duplicates: 1, unexpected: 0, indeterminate: 0 })
    expect(judged.lostIds).toEqual([kept[0]])
    expect(judged.errors).toEqual({ E404: judged.writes.failed })
    expect(judged.verdict).toBe('inconsistent')
  })

  describe('of answers with a status', () => {
    test('is acknowledged from 200 to 299; what else is answered may have happened', async () => {
      await using cluster = await startAsStranger(runtime)
      const statuses = [{ status: 200 }, { statusCode: 299 }, { status: 503 }, { statusCode: 409 }, 'text', undefined]
      let at = 0
      await using load = cluster.load({ send: async () => statuses[at++ % statuses.length], ratePerSecond: 500 })
      await load.acknowledges(40)
      const { writes } = await load.stop()
      for (const { id, outcome } of writes) {
        const status = statuses[id % statuses.length]
        const code = typeof status === 'object' ? (status.status ?? status.statusCode) : 200
        expect(outcome).toEqual(code < 300 ? { kind: 'acknowledged' } : { kind: 'indeterminate', code: `HTTP ${code}` })
      }
    })
  })

  test('that gets no answer tells what it is answered instead, and takes a silent request for one of unknown outcome', async () => {
    await using cluster = await startAsStranger(runtime)
    await using load = cluster.load({ sql: 'INSERT INTO nowhere VALUES ($1)' })
    const error = await catchLabError('TIMEOUT', () => load.acknowledges(1, { timeoutMs: 500 }))
    expect(error.message).toMatch(
      /for 1 more acknowledged requests; last seen: 0 so far; the last that was not: 42P01$/,
    )
    expect((await load.stop()).writes[0]!.outcome).toEqual({ kind: 'failed', code: '42P01' })
    await catchLabError('USAGE', async () => cluster.load({}))
    await catchLabError('USAGE', async () => cluster.load({ sql: 'x', ratePerSecond: 0 }))

    const never = (): Promise<unknown> => new Promise(() => undefined)
    await using silent = cluster.load({ send: never, requestTimeoutMs: 50, outcomeOf: () => 'failed' })
    const { writes } = await silent.stop()
    for (const { outcome } of writes) expect(outcome).toEqual({ kind: 'indeterminate', code: 'ETIMEDOUT' })
  })
})
