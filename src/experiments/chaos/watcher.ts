/**
 * Who acknowledges: a watcher beside the writers, which asks each node directly, over and over, to write something.
 * A node that acknowledges tells its timeline with it, so that two which accept writes at once are found out.
 */
import type { Cluster } from '../../cluster/cluster.ts'
import type { Session } from '../../postgres/connection.ts'
import { timelineOfWalFile } from '../../postgres/lsn.ts'
import { pause } from '../../wait.ts'

/** A node has committed something, on that timeline; instants of performance.now(). */
export interface Acknowledgement {
  readonly node: string
  readonly timeline: number
  readonly sentAt: number
  readonly settledAt: number
}

export const WATCHER_NAME = 'lab chaos watch'

const EVERY_MS = 20
const PATIENCE_MS = 1_000

// A transaction with a commit record which leaves no row. On a standby it is not evaluated, and would be refused.
const PROBE = `SELECT CASE WHEN NOT pg_is_in_recovery()
  THEN pg_walfile_name(pg_logical_emit_message(true, 'lab chaos', 'probe')) END AS wal_file`

/** Watches every node there is now, until it is disposed of. */
export class Watcher implements AsyncDisposable {
  /** In the order in which they were settled. */
  readonly acknowledgements: Acknowledgement[] = []
  readonly #cluster: Cluster
  readonly #end = new AbortController()
  readonly #watches: readonly Promise<void>[]

  constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#watches = cluster.nodes.map(({ name }) => this.#watch(name))
  }

  async #watch(node: string): Promise<void> {
    let session: Session | undefined
    while (!this.#end.signal.aborted) {
      try {
        session ??= await this.#cluster.connect(node, {
          ...{ applicationName: WATCHER_NAME, connectTimeoutMs: PATIENCE_MS, signal: this.#end.signal },
        })
        await this.#probe(node, session)
      } catch {
        // Down, frozen or being promoted: what is not acknowledged says nothing.
        session?.destroy(new Error('given up'))
        session = undefined
      }
      await pause(EVERY_MS, this.#end.signal).catch(() => undefined)
    }
    await session?.[Symbol.asyncDispose]()
  }

  async #probe(node: string, session: Session): Promise<void> {
    const sentAt = performance.now()
    const [row] = await session.query<{ wal_file: string | null }>(PROBE, [], { name: 'probe', timeoutMs: PATIENCE_MS })
    const file = row?.wal_file ?? null
    if (file === null) return
    this.acknowledgements.push({ node, timeline: timelineOfWalFile(file), sentAt, settledAt: performance.now() })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort()
    await Promise.all(this.#watches)
  }
}
