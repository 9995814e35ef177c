/**
 * The router against a bare pool of node-postgres: the same statements, over as many connections.
 */
import pg from 'pg'
import { startCluster, type TestCluster } from '../src/index.ts'
import { createRouter, type Router } from '../src/router/index.ts'
import type { Sample } from './samples.ts'

export interface RouterBenchOptions {
  readonly runtime: 'docker' | 'local'
  readonly signal: AbortSignal
}

const STATEMENTS = 4_000
const CONNECTIONS = 4
const INSERT = 'INSERT INTO bench (id) VALUES ($1)'
const SELECT = 'SELECT id FROM bench WHERE id = $1'

/** Reads on one standby, so that both have the same server; each of the two measured by turns, in slices. */
export async function measureRouter({ runtime, signal }: RouterBenchOptions): Promise<Sample[]> {
  await using cluster = await startCluster({ ...SHAPE, runtime, signal })
  await using bare = await openPool(cluster.urlOf('primary'))
  await using standby = await openPool(cluster.urlOf('replica1'))
  await using router = await openRouter(cluster)
  const pool = router.pool('write')
  let token = ''
  const ways: readonly (readonly [name: string, floor: Request, ours: Request])[] = [
    ['router: pool', id => bare.pool.query(INSERT, [id]), id => pool.query(INSERT, [id])],
    ['router: write', id => bare.pool.query(INSERT, [id]), id => router.write(INSERT, [id], { withPosition: false })],
    [
      'router: token',
      id => bare.pool.query(INSERT, [id]),
      async id => void ({ token } = await router.write(INSERT, [id])),
    ],
    ['router: read', id => standby.pool.query(SELECT, [id]), id => router.read(SELECT, [id])],
    ['router: read after', id => standby.pool.query(SELECT, [id]), id => router.read(SELECT, [id], { after: token })],
  ]
  const samples: Sample[] = []
  for (const [name, floor, ours] of ways) {
    await cluster.waitForCatchUp()
    samples.push({ name, ...(await byTurns(floor, ours)) })
  }
  return samples
}

type Request = (id: number) => Promise<unknown>

const SHAPE = { replicas: 1, name: 'bench', schema: 'CREATE TABLE bench (id int); CREATE INDEX ON bench (id)' }

const SLICES = 10
/** Code that has run a hundred times is compiled; an application's has. */
const WARM_UP = 1_000

/** First one, then the other, again and again: what else the machine does concerns both. */
async function byTurns(floor: Request, ours: Request): Promise<{ readonly floorMs: number; readonly oursMs: number }> {
  await sendAll(floor, WARM_UP)
  await sendAll(ours, WARM_UP)
  let [floorMs, oursMs] = [0, 0]
  for (let slice = 0; slice < SLICES; slice++) {
    floorMs += await sendAll(floor, STATEMENTS / SLICES)
    oursMs += await sendAll(ours, STATEMENTS / SLICES)
  }
  return { floorMs, oursMs }
}

/** How long so many take, over all connections, in milliseconds. */
async function sendAll(send: Request, count: number): Promise<number> {
  const startedAt = performance.now()
  let next = 0
  const lane = async (): Promise<void> => {
    for (let id = next++; id < count; id = next++) await send(id)
  }
  await Promise.all(Array.from({ length: CONNECTIONS }, lane))
  return performance.now() - startedAt
}

async function openPool(connectionString: string): Promise<AsyncDisposable & { readonly pool: pg.Pool }> {
  const pool = new pg.Pool({ connectionString, max: CONNECTIONS })
  await pool.query('SELECT 1')
  return { pool, [Symbol.asyncDispose]: () => pool.end() }
}

async function openRouter(cluster: TestCluster): Promise<Router> {
  const monitor = { user: 'bench_monitor', password: 'monitoring' }
  await cluster.query(`CREATE ROLE bench_monitor LOGIN REPLICATION IN ROLE pg_monitor PASSWORD 'monitoring'`, [], {
    as: 'superuser',
  })
  await cluster.waitForCatchUp()
  const connectionStrings = ['primary', 'replica1'].map(node => cluster.urlOf(node))
  const router = createRouter({ connectionStrings, monitor, max: CONNECTIONS, maxLagMs: Infinity })
  await router.primary()
  return router
}
