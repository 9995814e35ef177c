/**
 * Read your writes, measured: the same requests under the same burst, with each way of leading a read to a server.
 */
import { waitForCatchUp } from '../cluster/catch-up.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { standbysOf } from '../cluster/node-status.ts'
import { temporarySettings } from '../cluster/temporary-settings.ts'
import { throughRouter } from '../client/through-router.ts'
import { throwIfInterrupted } from '../errors.ts'
import {
  readWays,
  summariseReads,
  type ReadWay,
  type ReadWayResult,
  type ReadYourWritesDocument,
  type WriteAndRead,
} from '../measure/read-your-writes.ts'
import type { Session } from '../postgres/connection.ts'
import type { Router } from '../router/index.ts'
import { together } from '../together.ts'
import { pause } from '../wait.ts'

export interface ReadYourWritesOptions {
  /** Writes, each with a read after it, of each way. @default 1000 */
  readonly requests?: number | undefined
  /** @default 4 */
  readonly connections?: number | undefined
  /** What the fixed delay waits, in milliseconds. @default 100 */
  readonly delayMs?: number | undefined
  /** Rows that one statement inserts while requests are sent, again and again. @default 20000 */
  readonly burstRows?: number | undefined
  /** Limit in milliseconds of each thing that is waited for. */
  readonly timeoutMs: number
  /** Told of each way when it is done. */
  readonly onWay?: ((result: ReadWayResult) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

const TABLE = 'lab.read_your_writes'
const BURST_TABLE = 'lab.read_your_writes_burst'
const INSERT = { name: 'insert', text: `INSERT INTO ${TABLE} (way, id) VALUES ($1, $2)` }
const SELECT = { name: 'select', text: `SELECT 1 FROM ${TABLE} WHERE way = $1 AND id = $2` }

/** @throws LabError NO_PRIMARY and the like, TIMEOUT, INTERRUPTED */
export async function runReadYourWrites(
  cluster: Cluster,
  options: ReadYourWritesOptions,
): Promise<ReadYourWritesDocument> {
  const { burstRows = 20_000, connections = 4, delayMs = 100, onWay, signal } = options
  const primary = await cluster.primary(signal)
  await using session = await cluster.connect(primary.name, { signal })
  await using _tables = await makeTables(session)
  await waitForCatchUp(cluster, options) // the tables, too, are read on standbys
  const ways: ReadWayResult[] = []
  for (const way of readWays) {
    cluster.emit({ kind: 'progress', text: `${way}: under a burst` })
    const result = summariseReads(way, await runWay(cluster, way, options))
    ways.push(result)
    onWay?.(result)
  }
  const about = { runtime: cluster.runtime.name, postgresVersion: primary.serverVersion }
  return { version: 1, ...about, burstRows, connections, delayMs, ways }
}

async function makeTables(session: Session): Promise<AsyncDisposable> {
  await session.query('CREATE SCHEMA IF NOT EXISTS lab')
  await dropTables(session)
  await session.query(`CREATE TABLE ${TABLE} (way text, id int, PRIMARY KEY (way, id))`)
  await session.query(`CREATE TABLE ${BURST_TABLE} (n int, filling text)`)
  return { [Symbol.asyncDispose]: async () => await dropTables(session) }
}

async function dropTables(session: Session): Promise<void> {
  await session.query(`DROP TABLE IF EXISTS ${TABLE}, ${BURST_TABLE}`)
}

async function runWay(
  cluster: Cluster,
  way: ReadWay,
  options: ReadYourWritesOptions,
): Promise<readonly WriteAndRead[]> {
  const { requests = 1_000, connections = 4, delayMs = 100, burstRows = 20_000, signal } = options
  await using _applied = way === 'remote-apply' ? await everyStandbyApplies(cluster, options) : undefined
  // However late a standby is: the point is what a read on it sees.
  await using through = throughRouter(cluster, { connections, maxLagMs: Infinity, writeTimeoutMs: options.timeoutMs })
  await through.router.primary()
  await using _burst = await startBurst(cluster, burstRows, signal)
  const done: WriteAndRead[] = []
  let next = 0
  const lane = async (): Promise<void> => {
    for (let id = next++; id < requests; id = next++) {
      throwIfInterrupted(signal)
      done.push(await writeAndRead(through.router, { way, id, delayMs }))
    }
  }
  await together(Array.from({ length: connections }, lane), work => work)
  return done
}

async function writeAndRead(
  router: Router,
  { way, id, delayMs }: { readonly way: ReadWay; readonly id: number; readonly delayMs: number },
): Promise<WriteAndRead> {
  const values = [way, id]
  const sentAt = performance.now()
  const { token } = await router.write({ ...INSERT, values })
  const acknowledgedAt = performance.now()
  if (way === 'fixed-delay') await pause(delayMs)
  const { rowCount, role } = await readBy(router, way, { values, token })
  const readAt = performance.now()
  return { isStale: rowCount === 0, writeMs: acknowledgedAt - sentAt, bothMs: readAt - sentAt, role }
}

async function readBy(
  router: Router,
  way: ReadWay,
  { values, token }: { readonly values: unknown[]; readonly token: string },
): Promise<{ readonly rowCount: number | null; readonly role: 'primary' | 'standby' }> {
  switch (way) {
    case 'sticky-primary':
      return { rowCount: (await router.pool('write').query({ ...SELECT, values })).rowCount, role: 'primary' }
    case 'token':
      return await router.read({ ...SELECT, values }, undefined, { after: token })
    case 'any-standby':
    case 'fixed-delay':
    case 'remote-apply':
      return await router.read({ ...SELECT, values })
  }
}

/** Every one of them, not any: a read goes to either. https://www.postgresql.org/docs/current/runtime-config-replication.html */
async function everyStandbyApplies(
  cluster: Cluster,
  { timeoutMs, signal }: ReadYourWritesOptions,
): Promise<AsyncDisposable> {
  const { name } = await cluster.primary(signal)
  const names = standbysOf(await cluster.status(signal)).map(standby => `"${standby.name}"`)
  const settings = {
    synchronous_standby_names: `FIRST ${names.length} (${names.join(', ')})`,
    synchronous_commit: 'remote_apply',
  }
  return await temporarySettings(cluster, name, { settings, timeoutMs, signal })
}

/** One statement after another, each with many rows, until it is disposed of. */
async function startBurst(cluster: Cluster, rows: number, signal: AbortSignal | undefined): Promise<AsyncDisposable> {
  const { name } = await cluster.primary(signal)
  const session = await cluster.connect(name, { applicationName: 'lab burst', signal })
  const statement = `INSERT INTO ${BURST_TABLE} SELECT n, repeat('x', 100) FROM generate_series(1, ${rows}) AS n`
  let isOver = false
  const insert = async (): Promise<void> => {
    while (!isOver && signal?.aborted !== true) await session.query(statement, [], { timeoutMs: 60_000 })
  }
  const running = insert()
  running.catch(() => undefined) // told by the disposal
  return {
    [Symbol.asyncDispose]: async () => {
      isOver = true
      await running.finally(() => session[Symbol.asyncDispose]())
    },
  }
}
