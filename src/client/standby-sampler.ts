/**
 * Looks at how far the primary is, and how far each standby is as the primary knows it, over and over. For servers that have no
 * address of their own here. https://www.postgresql.org/docs/current/monitoring-stats.html#MONITORING-PG-STAT-REPLICATION-VIEW
 */
import type { Position } from '../measure/lag.ts'
import type { Session } from '../postgres/connection.ts'
import { parseLsn } from '../postgres/lsn.ts'
import { pause } from '../wait.ts'

const QUESTION = `SELECT pg_current_wal_lsn()::text AS lsn, coalesce((SELECT json_object_agg(
  application_name || coalesce(' ' || host(client_addr), '') || ':' || coalesce(client_port, 0), flush_lsn::text)
  FROM pg_stat_replication WHERE flush_lsn IS NOT NULL), '{}') AS standbys`

const EVERY_MS = 50
const PATIENCE_MS = 2_000

/** Ends by itself when its connection does. Disposing of it stops it. */
export class StandbySampler implements AsyncDisposable {
  readonly primary: Position[] = []
  /** By application_name and address, as the primary has them. */
  readonly standbys = new Map<string, Position[]>()
  readonly #session: Session
  readonly #done: Promise<void>
  #isOver = false

  /** Takes over the session, and closes it at the end. */
  constructor(session: Session) {
    this.#session = session
    this.#done = this.#sample().catch(() => undefined)
  }

  async #sample(): Promise<void> {
    while (!this.#isOver) {
      const askedAt = performance.now()
      const options = { name: 'standbys', timeoutMs: PATIENCE_MS }
      const [row] = await this.#session.query<{ lsn: string; standbys: Record<string, string> }>(QUESTION, [], options)
      const at = performance.now()
      const add = (positions: Position[], lsn: string): unknown => positions.push({ askedAt, at, lsn: parseLsn(lsn) })
      if (row !== undefined) add(this.primary, row.lsn)
      for (const [name, lsn] of Object.entries(row?.standbys ?? {})) {
        const positions = this.standbys.get(name) ?? []
        this.standbys.set(name, positions)
        add(positions, lsn)
      }
      await pause(EVERY_MS)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#done
    await this.#session[Symbol.asyncDispose]()
  }
}
