/**
 * Lag: what is measured of it, and that nothing of the measuring is left.
 */
import { expect, test } from 'vitest'
import { healthy, met, notMet, waitUntil } from '../../src/index.ts'
import { lagsOf, runBurst, serverAt, serversOf } from '../../src/client/burst.ts'
import { runLag } from '../../src/experiments/lag.ts'
import type { Cluster, Condition } from '../../src/index.ts'
import type { LagDocument } from '../../src/measure/lag.ts'
import type { ServerToConnect as Server } from '../../src/client/burst.ts'
import type { LiarsDocument, Reading } from '../../src/measure/liars.ts'
import { catchLabError } from '../support/catch-lab-error.ts'
import { CliCluster, expectRefusal } from '../support/cli.ts'
import { describeEachRuntime, startTestCluster, TIMEOUT_MS } from '../support/runtimes.ts'

const LIMIT = { timeoutMs: TIMEOUT_MS }

describeEachRuntime(
  'lag',
  runtime => {
    test('is measured for every insert on every standby, is seen when a standby stands still, and leaves nothing', async () => {
      await using cluster = await startTestCluster(runtime)
      const servers = await serversOf(cluster)
      const lag = await runLag(servers, { inserts: 200, lookEveryMs: 1, ...LIMIT })
      expect(lag).toMatchObject({
        primary: 'primary',
        inserts: 200,
        ratePerSecond: null,
        sampling: { n: 2, everyMs: 1 },
      })
      expect(lag.standbys.map(({ node }) => node)).toEqual(['replica1', 'replica2'])
      for (const { visibleMs, neverSeen, drainMs, resolutionMs, curve } of lag.standbys) {
        expect(visibleMs).toMatchObject({ n: 200 })
        expect(neverSeen).toBe(0)
        expect(drainMs).toBeLessThanOrEqual(visibleMs!.max)
        expect(resolutionMs!.p50).toBeGreaterThan(0)
        expect(curve.length).toBeGreaterThan(0)
      }
      expect(await schemasOf(cluster)).toEqual([])

      await cluster.query('primary', 'CREATE TABLE paused (id int)', { as: 'superuser' })
      await waitUntil(healthy(cluster), LIMIT)
      await cluster.query('replica1', 'SELECT pg_wal_replay_pause()', { as: 'superuser' })
      const insert = 'INSERT INTO paused VALUES ($1)'
      const PAUSED_INSERTS = 50
      const running = runBurst(servers, { insert, inserts: PAUSED_INSERTS, lookEveryMs: 1, ...LIMIT })
      await waitUntil(rowsOn(cluster, 'replica2', PAUSED_INSERTS), LIMIT)
      await cluster.query('replica1', 'SELECT pg_wal_replay_resume()', { as: 'superuser' })
      const [paused, free] = lagsOf(await running)
      expect(paused).toMatchObject({ node: 'replica1', replayedAtEnd: 0 })
      expect(paused!.drainMs!).toBeGreaterThan(free!.drainMs!)
      expect(paused!.maxBytes).toBe(paused!.bytesAtEnd)
    })
  },
  ['local'],
)

describeEachRuntime(
  'lag, on the command line',
  runtime => {
    test('prints one document for the cluster of the lab, at a rate', async () => {
      await using cluster = await CliCluster.describe(runtime)
      const { document, narration } = await cluster.json('lag', '--inserts', '40', '--rate', '200')
      const lag = document as LagDocument
      expect(lag).toMatchObject({ version: 1, runtime: 'local', inserts: 40, ratePerSecond: 200 })
      expect(lag.burstMs, 'the last of 40 is due after 195 ms').toBeGreaterThanOrEqual(195)
      expect(narration).toContain('What the looking cost')

      const { document: liars } = await cluster.json('lag', '--liars')
      expectJudgements((liars as LiarsDocument).readings)

      const { password } = new URL((await cluster.run('psql', '--url')).stdout)
      const url = (node: string): string => `postgresql://postgres@127.0.0.1:${cluster.port(node)}/testdb`
      const other = (...args: readonly string[]): ReturnType<CliCluster['run']> =>
        cluster.runWith({ PGPASSWORD: password }, 'lag', ...args)
      const standbys = ['--standby', url('replica1'), '--standby', url('replica2')]
      const given = await other('--primary', url('primary'), ...standbys, '--json')
      expect(given.exitCode, given.stderr).toBe(0)
      const measured = JSON.parse(given.stdout) as LagDocument
      expect(measured).toMatchObject({ runtime: null, primary: `127.0.0.1:${cluster.port('primary')}` })
      expect(measured.standbys).toHaveLength(2)

      const mixed = await other('--liars', '--primary', url('primary'), ...standbys)
      expectRefusal(mixed, { exitCode: 2, fact: "only to the lab's own cluster" })
    })
  },
  ['local'],
)

describeEachRuntime(
  'lag of a cluster that is named by URLs',
  runtime => {
    test('is refused, with nothing done, where the servers are not what they are named as', async () => {
      await using cluster = await startTestCluster(runtime)
      const at = (node: string, user = 'postgres', password = cluster.topology.superuser.password): Server => {
        const { host, port } = cluster.runtime.clientEndpoint(node)
        return serverAt(`postgresql://${user}:${password}@${host}:${port}/testdb`)
      }
      const lag = (primary: Server, ...standbys: readonly Server[]): Promise<unknown> =>
        runLag({ primary, standbys }, { inserts: 10, ...LIMIT })
      const refused = async (fact: RegExp, work: () => Promise<unknown>): Promise<void> =>
        expect((await catchLabError('USAGE', work)).message).toMatch(fact)

      await refused(/:\d+ is a standby, not the primary$/, () => lag(at('replica1'), at('replica2')))
      await refused(/:\d+ is a primary, not a standby$/, () => lag(at('primary'), at('primary')))
      await refused(/^a server is named by a URL/, async () => serverAt('127.0.0.1:5432'))
      await using stranger = await startTestCluster(runtime, { fromTemplate: false })
      const { port } = stranger.runtime.clientEndpoint('replica1')
      const { superuser } = stranger.topology
      const strange = serverAt(`postgresql://postgres:${superuser.password}@127.0.0.1:${port}/testdb`)
      await refused(/is no standby of .*: their system identifiers differ$/, () => lag(at('primary'), strange))

      await cluster.query('primary', "CREATE ROLE reader LOGIN PASSWORD 'reader'", { as: 'superuser' })
      await refused(/^the server refused CREATE SCHEMA/, () => lag(at('primary', 'reader', 'reader')))
      await catchLabError('WRONG_PASSWORD', () => lag(at('primary', 'postgres', 'wrong')))
      expect(await schemasOf(cluster)).toEqual([])
    })
  },
  ['local'],
)

/** What facts of PostgreSQL make certain; the others depend on the machine. */
function expectJudgements(readings: readonly Reading[]): void {
  const judgement = (situation: string, metric: RegExp): string | undefined =>
    readings.find(reading => reading.situation === situation && metric.test(reading.metric))?.judgement
  expect(judgement('idle', /now minus last replayed/), 'it grows although nothing is missing').toBe('high')
  expect(judgement('disconnected', /receive minus replay/), 'all it received is replayed').toBe('low')
  expect(judgement('disconnected', /replay_lag/), 'the standby has no row any more').toBe('silent')
  expect(judgement('disconnected', /slot restart_lsn/)).toBe('true')
  for (const situation of ['idle', 'disconnected']) expect(judgement(situation, /heartbeat/), situation).toBe('true')
}

async function schemasOf(cluster: Cluster): Promise<string[]> {
  const rows = await cluster.query<{ name: string }>(
    'primary',
    "SELECT nspname AS name FROM pg_namespace WHERE nspname LIKE 'lab\\_%'",
  )
  return rows.map(({ name }) => name)
}

const rowsOn = (cluster: Cluster, node: string, count: number): Condition<undefined> => ({
  what: `${count} rows on ${node}`,
  observe: async () => {
    const [row] = await cluster.query<{ count: number }>(node, 'SELECT count(*)::int AS count FROM paused')
    return row?.count === count ? met(undefined) : notMet(`${row?.count}`)
  },
})
