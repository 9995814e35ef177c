/**
 * Asks every node for its state, again and again. One question to a node at a time: a node that stands still piles up
 * nothing, and holds up none of the others.
 */
import { pause, seconds } from '../wait.ts'
import type { Cluster } from '../cluster/cluster.ts'
import type { NodeStatus } from '../cluster/node-status.ts'

/** A node's state, and the instants between which it was so: performance.now(), in milliseconds. */
export interface Polled {
  readonly status: NodeStatus
  readonly askedAt: number
  readonly answeredAt: number
}

interface Question {
  readonly askedAt: number
  readonly answered: Promise<void>
}

/** A node that takes longer to answer is said not to; its answer is still waited for. */
const PATIENCE_MS = 1_000

export class Poller {
  readonly #cluster: Cluster
  readonly #signal: AbortSignal
  readonly #open = new Map<string, Question>()
  readonly #latest = new Map<string, Polled>()
  #failure: { readonly error: unknown } | undefined

  constructor(cluster: Cluster, signal: AbortSignal) {
    this.#cluster = cluster
    this.#signal = signal
  }

  /**
   * Asks the nodes that owe no answer, and returns what is known of each when all have answered, or after `limitMs`.
   * @throws LabError WRONG_PASSWORD, OTHER_CLUSTER, INTERRUPTED
   */
  async poll(limitMs: number): Promise<Polled[]> {
    const names = this.#cluster.nodes.map(({ name }) => name)
    const questions = names.map(name => this.#ask(name).answered)
    const isFirst = this.#latest.size === 0
    await Promise.race([Promise.all(questions), pause(isFirst ? PATIENCE_MS : limitMs, this.#signal)])
    if (this.#failure !== undefined) throw this.#failure.error
    return await Promise.all(names.map(name => this.#known(name)))
  }

  #ask(name: string): Question {
    const open = this.#open.get(name)
    if (open !== undefined) return open
    const askedAt = performance.now()
    const question = { askedAt, answered: this.#answer(name, askedAt) }
    this.#open.set(name, question)
    return question
  }

  async #answer(name: string, askedAt: number): Promise<void> {
    try {
      const status = await this.#cluster.nodeStatus(name, this.#signal)
      this.#latest.set(name, { status, askedAt, answeredAt: performance.now() })
    } catch (error) {
      this.#failure ??= { error }
    } finally {
      this.#open.delete(name)
    }
  }

  async #known(name: string): Promise<Polled> {
    const latest = this.#latest.get(name)
    const askedAt = this.#open.get(name)?.askedAt ?? performance.now()
    const silentMs = performance.now() - askedAt
    const isSilent = latest === undefined || (silentMs > PATIENCE_MS && latest.status.role !== 'unreachable')
    if (!isSilent) return latest
    const address = { name, ...this.#cluster.runtime.clientEndpoint(name) }
    const state = await this.#cluster.runtime.state(name)
    const reason = `no answer for ${seconds(silentMs)}`
    return { status: { ...address, role: 'unreachable', state, reason }, askedAt, answeredAt: performance.now() }
  }
}
