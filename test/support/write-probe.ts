/**
 * Asks every node, all the time, to take a row: who accepts writes is not believed, but tried.
 */
import { randomUUID } from 'node:crypto'
import { connect, type Session } from '../../src/postgres/connection.ts'
import { met, notMet, type Cluster, type Condition } from '../../src/index.ts'

export interface Probed {
  /** Rows that a node has acknowledged, by their id. */
  readonly accepted: ReadonlyMap<string, string>
  /** Two nodes that accepted writes beside each other, twice in a row: one that was just ending is none. */
  readonly splits: readonly string[]
  readonly sweeps: number
}

const TABLE = 'CREATE TABLE IF NOT EXISTS probed (id text PRIMARY KEY)'
const QUESTION_MS = 2000

export class WriteProbe implements AsyncDisposable {
  readonly #cluster: Cluster
  readonly #accepted = new Map<string, string>()
  readonly #splits: string[] = []
  readonly #sessions = new Map<string, Session>()
  readonly #running: Promise<void>
  #sweeps = 0
  #isOver = false

  private constructor(cluster: Cluster) {
    this.#cluster = cluster
    this.#running = this.#run()
  }

  static async start(cluster: Cluster): Promise<WriteProbe> {
    await cluster.query((await cluster.primary()).name, TABLE, { as: 'superuser' })
    return new WriteProbe(cluster)
  }

  async #run(): Promise<void> {
    let before: readonly string[] = []
    while (!this.#isOver) {
      const answers = await Promise.all(this.#cluster.nodes.map(({ name }) => this.#takesRow(name)))
      const writable = answers.filter(name => name !== undefined)
      const split = writable.filter(name => before.includes(name))
      if (split.length > 1) this.#splits.push(`${split.join(', ')} at ${new Date().toISOString()}`)
      before = writable
      this.#sweeps++
    }
  }

  /** Its name if it does. */
  async #takesRow(name: string): Promise<string | undefined> {
    const id = randomUUID()
    try {
      const session = await this.#session(name)
      await session.query('INSERT INTO probed VALUES ($1)', [id], { timeoutMs: QUESTION_MS })
      this.#accepted.set(id, name)
      return name
    } catch {
      return undefined // a standby, or nobody there
    }
  }

  async #session(name: string): Promise<Session> {
    const open = this.#sessions.get(name)
    if (open !== undefined && !open.lost.aborted) return open
    const { topology, runtime } = this.#cluster
    const database = topology.database
    const who = { ...runtime.clientEndpoint(name), ...topology.superuser, database }
    const session = await connect({ ...who, connectTimeoutMs: QUESTION_MS })
    this.#sessions.set(name, session)
    return session
  }

  /** The node has taken a row from now on. */
  taken(node: string): Condition<undefined> {
    const count = (): number => [...this.#accepted.values()].filter(name => name === node).length
    const before = count()
    return {
      what: `${node} to take a row`,
      observe: async () => (count() > before ? met(undefined) : notMet('it has taken none')),
    }
  }

  /** Ends it, and tells what it has seen. */
  async stop(): Promise<Probed> {
    this.#isOver = true
    await this.#running
    await Promise.all([...this.#sessions.values()].map(session => session[Symbol.asyncDispose]()))
    this.#sessions.clear()
    return { accepted: this.#accepted, splits: this.#splits, sweeps: this.#sweeps }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
