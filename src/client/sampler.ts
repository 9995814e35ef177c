/**
 * Looks at a server's position in the WAL, over and over, on a connection of its own.
 */
import type { Position } from '../measure/lag.ts'
import type { Session } from '../postgres/connection.ts'
import { parseLsn } from '../postgres/lsn.ts'
import { pause } from '../wait.ts'

/** Which position, and the function that tells it. */
const QUESTIONS = {
  /** Of a primary: the end of what is written. */
  written: 'pg_current_wal_lsn()',
  /** Of a standby: what it would have if it were promoted. It may have replayed WAL of its own disk that it never received. */
  received: 'greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn())',
  /** Of a standby: what its queries see. */
  replayed: 'pg_last_wal_replay_lsn()',
} as const
export type PositionKind = keyof typeof QUESTIONS

export interface SamplerOptions {
  readonly position: PositionKind
  /** Pause between an answer and the next question in milliseconds; 0: none, as fast as the connection allows. */
  readonly everyMs: number
}

/** A look that takes longer is given up, and the sampling with it: a frozen server answers no more. */
const PATIENCE_MS = 2_000

/** Ends by itself when its connection does: what it has seen until then is what is known. Disposing of it stops it. */
export class Sampler implements AsyncDisposable {
  /** In the order in which they were seen. */
  readonly positions: Position[] = []
  readonly #session: Session
  #isOver = false
  readonly #done: Promise<void>
  #hasEnded = false

  /** Takes over the session, and closes it at the end. */
  constructor(session: Session, options: SamplerOptions) {
    this.#session = session
    this.#done = this.#look(options)
      .catch(() => undefined)
      .finally(() => (this.#hasEnded = true))
  }

  /** Nothing more will be seen. */
  get hasEnded(): boolean {
    return this.#hasEnded
  }

  async #look({ position, everyMs }: SamplerOptions): Promise<void> {
    const question = `SELECT ${QUESTIONS[position]}::text AS lsn`
    while (!this.#isOver) {
      const askedAt = performance.now()
      const [row] = await this.#session.query<{ lsn: string }>(question, [], { name: position, timeoutMs: PATIENCE_MS })
      this.positions.push({ askedAt, at: performance.now(), lsn: parseLsn(row?.lsn ?? '') })
      // Without the signal, which costs a listener each time: the end waits for one pause at most.
      if (everyMs > 0) await pause(everyMs)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.#done
    await this.#session[Symbol.asyncDispose]()
  }
}
