/**
 * The figures that people watch for lag, read in three situations beside the truth: what was acknowledged and is not
 * visible on the standby, known from the client's own commits.
 */
import { cutFromWal } from '../faults/replication.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { standbysOf } from '../cluster/node-status.ts'
import { healthy } from '../cluster/conditions.ts'
import { Disposer } from '../dispose.ts'
import { LabError } from '../errors.ts'
import type { Commit } from '../measure/lag.ts'
import { judge, type LiarsDocument, type Reading } from '../measure/liars.ts'
import type { Session } from '../postgres/connection.ts'
import { bytesBehind, parseLsn, type Lsn } from '../postgres/lsn.ts'
import { pause, waitUntil } from '../wait.ts'

/** Nothing is written; much is written; the standby is cut off while the primary goes on. */
export const situations = ['idle', 'burst', 'disconnected'] as const
export type Situation = (typeof situations)[number]

export interface LiarsOptions {
  readonly situations: readonly Situation[]
  /** Limit in milliseconds of each thing that is waited for. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** For so long each situation lasts: long against every interval in it, short against a person's patience. */
const SITUATION_MS = 2_000
const BEAT_EVERY_MS = 50
const READ_EVERY_MS = 20
/** What a person at a dashboard would call nothing. */
const TOLERANCE = { ms: 150, bytes: 128 * 1024 }

const SCHEMA = 'lab_liars'

/** @throws LabError NO_CANDIDATE when there is no standby; TIMEOUT; INTERRUPTED */
export async function runLiars(cluster: Cluster, options: LiarsOptions): Promise<LiarsDocument> {
  const { signal } = options
  const primary = await cluster.primary(signal)
  const node = standbysOf(await cluster.status(signal)).at(-1)?.name
  if (node === undefined)
    throw new LabError('NO_CANDIDATE', 'there is no standby to look at', { hint: 'pnpm run up brings them back.' })
  await using observer = await Observer.open(cluster, { primary: primary.name, node, signal })
  const readings: Reading[] = []
  for (const situation of options.situations) {
    cluster.emit({ kind: 'progress', text: `${situation}: ${SITUATION_MS / 1000} s` })
    const figures = await SCENES[situation](cluster, observer, options)
    readings.push(...figures.map(figure => judged(figure, { situation, node })))
  }
  return {
    version: 1,
    runtime: cluster.runtime.name,
    postgresVersion: primary.serverVersion,
    tolerance: TOLERANCE,
    readings,
  }
}

const judged = (figure: Figure, where: { readonly situation: Situation; readonly node: string }): Reading => ({
  ...where,
  ...figure,
  judgement: judge(figure, TOLERANCE[figure.unit]),
})

type Scene = (cluster: Cluster, observer: Observer, options: LiarsOptions) => Promise<readonly Figure[]>

const SCENES: Readonly<Record<Situation, Scene>> = {
  idle: async (cluster, observer, { timeoutMs, signal }) => {
    await observer.beat()
    await waitUntil(healthy(cluster), { timeoutMs, signal })
    await pause(SITUATION_MS, signal)
    const quiet = await observer.read()
    // The heartbeat is a write: with it nothing is idle, so it is read by itself.
    const beating = await observer.readWhileBeating(SITUATION_MS / 4, signal)
    return [
      ...quiet.filter(figure => figure.metric !== HEARTBEAT),
      ...beating.filter(figure => figure.metric === HEARTBEAT),
    ]
  },
  burst: async (_cluster, observer, { signal }) => await observer.readInBurst(SITUATION_MS, signal),
  disconnected: async (cluster, observer, { timeoutMs, signal }) => {
    await observer.beat()
    await using cut = await cutFromWal(cluster, [observer.node], { timeoutMs, signal })
    await observer.write()
    const figures = await observer.readWhileBeating(SITUATION_MS, signal)
    await cut[Symbol.asyncDispose]()
    await waitUntil(healthy(cluster), { timeoutMs, signal })
    return figures
  },
}

/** A metric, what it said, and what was the case at that moment. */
type Figure = Pick<Reading, 'metric' | 'unit' | 'says' | 'truth'>

const HEARTBEAT = 'age of a heartbeat row, on the standby'

const ON_PRIMARY = `
SELECT pg_current_wal_lsn()::text AS current_lsn, r.pid IS NOT NULL AS is_there,
  extract(epoch FROM write_lag) * 1000 AS write_ms, extract(epoch FROM flush_lag) * 1000 AS flush_ms,
  extract(epoch FROM replay_lag) * 1000 AS replay_ms, pg_current_wal_lsn() - r.replay_lsn AS replay_bytes,
  pg_current_wal_lsn() - s.restart_lsn AS slot_bytes
FROM (VALUES ($1)) AS n (name)
LEFT JOIN pg_stat_replication r ON r.application_name = n.name
LEFT JOIN pg_replication_slots s ON s.slot_name = n.name`

const ON_STANDBY = `
SELECT pg_last_wal_replay_lsn()::text AS replay_lsn,
  pg_last_wal_receive_lsn() - pg_last_wal_replay_lsn() AS unreplayed_bytes,
  extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp()) * 1000 AS last_replayed_ms,
  (SELECT extract(epoch FROM clock_timestamp() - at) * 1000 FROM ${SCHEMA}.heartbeat) AS heartbeat_ms`

type Row = Readonly<Record<string, string | null>>

type Sessions = Readonly<Record<'beat' | 'burst' | 'primary' | 'standby', Session>>

/** Connections to the primary and to one standby, and the commits that were acknowledged on the way. */
class Observer implements AsyncDisposable {
  readonly node: string
  readonly #sessions: Sessions
  readonly #resources: AsyncDisposable
  readonly #commits: Commit[] = []

  private constructor(node: string, sessions: Sessions, resources: AsyncDisposable) {
    this.node = node
    this.#sessions = sessions
    this.#resources = resources
  }

  static async open(
    cluster: Cluster,
    {
      primary,
      node,
      signal,
    }: { readonly primary: string; readonly node: string; readonly signal: AbortSignal | undefined },
  ): Promise<Observer> {
    const resources = new Disposer()
    const as = { as: 'superuser', signal } as const
    try {
      const open = async (name: string): Promise<Session> => resources.use(await cluster.connect(name, as))
      const sessions = {
        beat: await open(primary),
        burst: await open(primary),
        primary: await open(primary),
        standby: await open(node),
      }
      const { beat } = sessions
      await beat.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`)
      resources.defer(async () => {
        await beat.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`)
      })
      await beat.query(`CREATE SCHEMA ${SCHEMA}`)
      await beat.query(`CREATE TABLE ${SCHEMA}.heartbeat AS SELECT clock_timestamp() AS at`)
      await beat.query(`CREATE TABLE ${SCHEMA}.filler (id int, text text)`)
      return new Observer(node, sessions, resources)
    } catch (error) {
      await resources[Symbol.asyncDispose]()
      throw error
    }
  }

  /** One heartbeat, as a person would program it. */
  async beat(): Promise<void> {
    await this.#commit(this.#sessions.beat, `UPDATE ${SCHEMA}.heartbeat SET at = clock_timestamp()`)
  }

  /** One commit of some 800 kB of WAL. */
  async write(): Promise<void> {
    const rows = `SELECT id, repeat('x', 100) FROM generate_series(1, 5000) AS id`
    await this.#commit(this.#sessions.burst, `INSERT INTO ${SCHEMA}.filler ${rows}`)
  }

  async #commit(session: Session, statement: string): Promise<void> {
    const dueAt = performance.now()
    await session.query(statement)
    const acknowledgedAt = performance.now()
    const [row] = await session.query<{ lsn: string }>('SELECT pg_current_wal_lsn()::text AS lsn')
    this.#commits.push({ dueAt, acknowledgedAt, lsn: parseLsn(row?.lsn ?? '') })
  }

  /** Beats for that long, then reads. */
  async readWhileBeating(ms: number, signal: AbortSignal | undefined): Promise<readonly Figure[]> {
    const until = performance.now() + ms
    for (await this.beat(); performance.now() < until; await this.beat()) await pause(BEAT_EVERY_MS, signal)
    return await this.read()
  }

  /** Writes as much as one connection can for that long, and returns what was read when the truth was worst. */
  async readInBurst(ms: number, signal: AbortSignal | undefined): Promise<readonly Figure[]> {
    const until = performance.now() + ms
    const write = async (): Promise<void> => {
      while (performance.now() < until && signal?.aborted !== true) await this.write()
    }
    const look = async (): Promise<readonly Figure[]> => {
      let worst: readonly Figure[] = await this.read()
      while (performance.now() < until) {
        await pause(READ_EVERY_MS, signal)
        await this.beat()
        const figures = await this.read()
        if (truthOf(figures) > truthOf(worst)) worst = figures
      }
      return worst
    }
    const [, worst] = await Promise.all([write(), look()])
    return worst
  }

  /** Every metric once, and the truth at that moment. */
  async read(): Promise<readonly Figure[]> {
    const [[primary = {}], [standby = {}]] = await Promise.all([
      this.#sessions.primary.query<Row>(ON_PRIMARY, [this.node], { name: 'primary' }),
      this.#sessions.standby.query<Row>(ON_STANDBY, [], { name: 'standby' }),
    ])
    const replayed = parseLsn(standby['replay_lsn'] ?? '')
    const truth = {
      ms: this.#oldestUnseen(replayed, performance.now()),
      bytes: bytesBehind(parseLsn(primary['current_lsn'] ?? ''), replayed),
    }
    const figure = (metric: string, unit: Figure['unit'], value: string | null | undefined): Figure => ({
      ...{ metric, unit, says: value == null ? null : Math.max(0, Number(value)), truth: truth[unit] },
    })
    return [
      figure('pg_stat_replication.write_lag', 'ms', primary['write_ms']),
      figure('pg_stat_replication.flush_lag', 'ms', primary['flush_ms']),
      figure('pg_stat_replication.replay_lag', 'ms', primary['replay_ms']),
      figure('primary: current minus replay_lsn', 'bytes', primary['replay_bytes']),
      figure('primary: current minus slot restart_lsn', 'bytes', primary['slot_bytes']),
      figure('standby: receive minus replay LSN', 'bytes', standby['unreplayed_bytes']),
      figure('standby: now minus last replayed commit', 'ms', standby['last_replayed_ms']),
      figure(HEARTBEAT, 'ms', standby['heartbeat_ms']),
    ]
  }

  /** Since when the oldest commit that the standby has not replayed was acknowledged. */
  #oldestUnseen(replayed: Lsn, now: number): number {
    const oldest = this.#commits
      .filter(({ lsn }) => lsn > replayed)
      .reduce((first, { acknowledgedAt }) => Math.min(first, acknowledgedAt), now)
    return now - oldest
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }
}

const truthOf = (figures: readonly Figure[]): number => figures.find(({ unit }) => unit === 'ms')?.truth ?? 0
