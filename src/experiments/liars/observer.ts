/**
 * Reads the figures that people watch for lag, and knows the truth beside each: from its own commits, which are the only
 * ones on the cluster.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import { Disposer } from '../../dispose.ts'
import { throwIfInterrupted } from '../../errors.ts'
import type { Commit } from '../../measure/lag.ts'
import type { Look, Reading } from '../../measure/liars.ts'
import type { Session } from '../../postgres/connection.ts'
import { bytesBehind, parseLsn, type Lsn } from '../../postgres/lsn.ts'
import { pause } from '../../wait.ts'

const SCHEMA = 'lab_liars'
const BEAT_EVERY_MS = 50
const LOOK_EVERY_MS = 20

/** A metric, all that it said, and what was the case each time. */
export interface Seen extends Pick<Reading, 'metric' | 'unit'> {
  readonly looks: readonly Look[]
  /** The longest time between two heartbeats meanwhile, in milliseconds; 0 when none beat. */
  readonly beatMs: number
}

export const HEARTBEAT = 'age of a heartbeat row, on the standby'

type Column = 'primary' | 'standby'
const METRICS: readonly (Pick<Reading, 'metric' | 'unit'> & { readonly of: Column; readonly column: string })[] = [
  { metric: 'pg_stat_replication.write_lag', unit: 'ms', of: 'primary', column: 'write_ms' },
  { metric: 'pg_stat_replication.flush_lag', unit: 'ms', of: 'primary', column: 'flush_ms' },
  { metric: 'pg_stat_replication.replay_lag', unit: 'ms', of: 'primary', column: 'replay_ms' },
  { metric: 'primary: current minus replay_lsn', unit: 'bytes', of: 'primary', column: 'replay_bytes' },
  { metric: 'primary: current minus slot restart_lsn', unit: 'bytes', of: 'primary', column: 'slot_bytes' },
  { metric: 'standby: receive minus replay LSN', unit: 'bytes', of: 'standby', column: 'unreplayed_bytes' },
  { metric: 'standby: now minus last replayed commit', unit: 'ms', of: 'standby', column: 'last_replayed_ms' },
  { metric: HEARTBEAT, unit: 'ms', of: 'standby', column: 'heartbeat_ms' },
]

const ON_PRIMARY = `
SELECT pg_current_wal_lsn()::text AS current_lsn,
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

const END = 'SELECT pg_current_wal_lsn()::text AS lsn'

type Row = Readonly<Record<string, string | null>>

/** One look at both servers: what they said, and between which instants and positions of the primary. */
interface Glance extends Readonly<Record<Column, Row>> {
  readonly from: number
  readonly to: number
  readonly replayed: Lsn
  readonly bytes: Look['truth']
}

type Sessions = Readonly<Record<'beat' | 'burst' | 'primary' | 'standby', Session>>

interface Watched {
  readonly isBeating?: boolean
  readonly isWriting?: boolean
  readonly signal: AbortSignal | undefined
}

/** Connections to the primary and to one standby, and the commits that were acknowledged on the way. */
export class Observer implements AsyncDisposable {
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
    names: { readonly primary: string; readonly node: string; readonly signal: AbortSignal | undefined },
  ): Promise<Observer> {
    const resources = new Disposer()
    const as = { as: 'superuser', signal: names.signal } as const
    try {
      const open = async (name: string): Promise<Session> => resources.use(await cluster.connect(name, as))
      const sessions = {
        beat: await open(names.primary),
        burst: await open(names.primary),
        primary: await open(names.primary),
        standby: await open(names.node),
      }
      const { beat } = sessions
      await beat.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`)
      resources.defer(async () => {
        await beat.query(`DROP SCHEMA IF EXISTS ${SCHEMA} CASCADE`)
      })
      await beat.query(`CREATE SCHEMA ${SCHEMA}`)
      await beat.query(`CREATE TABLE ${SCHEMA}.heartbeat AS SELECT clock_timestamp() AS at`)
      await beat.query(`CREATE TABLE ${SCHEMA}.filler (id int, text text)`)
      return new Observer(names.node, sessions, resources)
    } catch (error) {
      await resources[Symbol.asyncDispose]()
      throw error
    }
  }

  /** One heartbeat, as a person would program it. Returns when it was acknowledged. */
  async beat(): Promise<number> {
    return await this.#commit(this.#sessions.beat, `UPDATE ${SCHEMA}.heartbeat SET at = clock_timestamp()`)
  }

  /** One commit of some 800 kB of WAL. */
  async write(): Promise<void> {
    const rows = `SELECT id, repeat('x', 100) FROM generate_series(1, 5000) AS id`
    await this.#commit(this.#sessions.burst, `INSERT INTO ${SCHEMA}.filler ${rows}`)
  }

  async #commit(session: Session, statement: string): Promise<number> {
    const dueAt = performance.now()
    await session.query(statement)
    const acknowledgedAt = performance.now()
    const [row] = await session.query<{ lsn: string }>(END)
    this.#commits.push({ dueAt, acknowledgedAt, lsn: parseLsn(row?.lsn ?? '') })
    return acknowledgedAt
  }

  /** Looks for so long, while a heart beats and one connection writes as much as it can, or not. */
  async watch(ms: number, { isBeating = false, isWriting = false, signal }: Watched): Promise<readonly Seen[]> {
    const until = performance.now() + ms
    const repeat = async (isOn: boolean, work: () => Promise<unknown>, pauseMs: number): Promise<void> => {
      while (isOn && performance.now() < until) {
        throwIfInterrupted(signal)
        await work()
        if (pauseMs > 0) await pause(pauseMs, signal)
      }
    }
    const glances: Glance[] = []
    const beats: number[] = []
    // All of them have ended when this returns or throws: they share connections with what comes next.
    const settled = await Promise.allSettled([
      repeat(isBeating, async () => beats.push(await this.beat()), BEAT_EVERY_MS),
      repeat(isWriting, () => this.write(), 0),
      repeat(true, async () => glances.push(await this.#glance()), LOOK_EVERY_MS),
    ])
    for (const one of settled) if (one.status === 'rejected') throw one.reason
    const beatMs = beats.slice(1).reduce((longest, at, before) => Math.max(longest, at - (beats[before] ?? at)), 0)
    return METRICS.map(metric => ({
      ...{ metric: metric.metric, unit: metric.unit, beatMs },
      looks: glances.map(glance => this.#lookOf(glance, metric)),
    }))
  }

  /** The primary's position is asked before the standby's and after it. */
  async #glance(): Promise<Glance> {
    const from = performance.now()
    const [primary = {}] = await this.#sessions.primary.query<Row>(ON_PRIMARY, [this.node], { name: 'primary' })
    const [standby = {}] = await this.#sessions.standby.query<Row>(ON_STANDBY, [], { name: 'standby' })
    const [end] = await this.#sessions.primary.query<{ lsn: string }>(END, [], { name: 'end' })
    const to = performance.now()
    const replayed = parseLsn(standby['replay_lsn'] ?? '')
    const bytes = {
      least: bytesBehind(parseLsn(primary['current_lsn'] ?? ''), replayed),
      most: bytesBehind(parseLsn(end?.lsn ?? ''), replayed),
    }
    return { primary, standby, from, to, replayed, bytes }
  }

  /** Now that every commit is known: since when the oldest that was not replayed had been acknowledged. */
  #lookOf(glance: Glance, { unit, of, column }: (typeof METRICS)[number]): Look {
    const value = glance[of][column]
    const oldest = this.#commits
      .filter(({ lsn }) => lsn > glance.replayed)
      .reduce((first, { acknowledgedAt }) => Math.min(first, acknowledgedAt), Infinity)
    const since = (instant: number): number => Math.max(0, instant - oldest)
    return {
      says: value == null ? null : Math.max(0, Number(value)),
      truth: unit === 'bytes' ? glance.bytes : { least: since(glance.from), most: since(glance.to) },
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }
}
