/**
 * Who is the primary now, and who a standby: what an address follows. Told at once by what this process does; what others
 * do (psql, a command) is found by looking again and again.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { timelineOfWalFile } from '../postgres/lsn.ts'
import { pause } from '../wait.ts'

/** A node that has become the primary. */
export interface Promotion {
  readonly node: string
  readonly timeline: number
  /** performance.now() when it was seen, in milliseconds. */
  readonly at: number
}

type Role = { readonly role: 'primary'; readonly timeline: number } | { readonly role: 'standby' }

const LOOK_EVERY_MS = 50
/** A server that takes longer to say what it is, is none that could be led to. */
const PATIENCE_MS = 1_000

const LOOK = `SELECT CASE WHEN NOT pg_is_in_recovery() THEN pg_walfile_name(pg_current_wal_lsn()) END AS wal_file`

export class Roles implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #roles = new Map<string, Role>()
  readonly #listeners = new Set<(promotion: Promotion) => void>()
  readonly #onAnew = new Set<() => void>()
  readonly #end = new AbortController()
  readonly #looking: Promise<unknown>
  readonly #deafen: () => void
  #primary: Promotion

  /** `primary` is who it is now. */
  constructor(cluster: Cluster, primary: { readonly name: string; readonly timeline: number }) {
    this.#cluster = cluster
    this.#primary = { node: primary.name, timeline: primary.timeline, at: performance.now() }
    this.#deafen = cluster.onEvent(event => {
      if (event.kind === 'promoted') this.#take(event, { isAlone: true })
    })
    this.#looking = Promise.all(cluster.nodes.map(({ name }) => this.#keepLooking(name)))
  }

  /** The last one known; it may be down. */
  get primary(): string {
    return this.#primary.node
  }

  /** Those that answer as one. */
  get standbys(): readonly string[] {
    return [...this.#roles].flatMap(([name, { role }]) => (role === 'standby' ? [name] : []))
  }

  /** Calls `listener` at every promotion from now on; returns how to stop that. */
  onPromotion(listener: (promotion: Promotion) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The cluster has been made anew: its history begins again. */
  startAnew(primary: { readonly name: string; readonly timeline: number }): void {
    this.#primary = { node: primary.name, timeline: primary.timeline, at: performance.now() }
    this.#roles.clear()
    for (const listener of this.#onAnew) listener()
  }

  /** Calls `listener` whenever the cluster has been made anew; returns how to stop that. */
  onAnew(listener: () => void): () => void {
    this.#onAnew.add(listener)
    return () => this.#onAnew.delete(listener)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#deafen()
    this.#end.abort()
    await this.#looking
  }

  #take({ node, timeline, at }: Promotion, { isAlone }: { readonly isAlone: boolean }): void {
    this.#roles.set(node, { role: 'primary', timeline })
    if (!takesOver({ node, timeline }, this.#primary, { isAlone })) return
    this.#primary = { node, timeline, at }
    for (const listener of this.#listeners) listener(this.#primary)
  }

  async #keepLooking(node: string): Promise<void> {
    const { signal } = this.#end
    while (!signal.aborted) {
      await this.#look(node).catch(() => this.#roles.delete(node))
      await pause(LOOK_EVERY_MS, signal).catch(() => undefined)
    }
  }

  async #look(node: string): Promise<void> {
    const ask = { timeoutMs: PATIENCE_MS, name: 'role' }
    const [row] = await this.#cluster.ask(
      node,
      session => session.query<{ wal_file: string | null }>(LOOK, [], ask),
      this.#end.signal,
    )
    const walFile = row?.wal_file
    if (walFile === null || walFile === undefined) this.#roles.set(node, { role: 'standby' })
    else {
      const isAlone = this.#roles.get(this.primary)?.role !== 'primary'
      this.#take({ node, timeline: timelineOfWalFile(walFile), at: performance.now() }, { isAlone })
    }
  }
}

/**
 * Of two primaries the one with the newer timeline is it: the other one has not noticed yet. Two promotions can choose one number:
 * then it is the one that was promoted last, or that answers alone.
 */
export const takesOver = (
  { node, timeline }: Omit<Promotion, 'at'>,
  now: Omit<Promotion, 'at'>,
  { isAlone }: { readonly isAlone: boolean },
): boolean => timeline > now.timeline || (timeline === now.timeline && node !== now.node && isAlone)
