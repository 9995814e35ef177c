/**
 * The clients of a soak: one writes over each way to the primary at once, each with a history of its own.
 */
import { Disposer } from '../../dispose.ts'
import { Writer } from '../../client/writer.ts'
import type { Cluster } from '../../cluster/cluster.ts'
import { isLabError } from '../../errors.ts'
import type { History } from '../../history/history.ts'
import type { PatroniStack } from '../stack.ts'
import { openWay, stackWays, type StackWay } from '../ways.ts'

/** What a client was told over its way. */
export interface WayHistory {
  readonly way: StackWay
  readonly history: History
}

export interface ClientsLoad {
  /** Of all ways together. */
  readonly ratePerSecond: number
  /** Of each way. */
  readonly connections: number
}

const LIMITS = { connectTimeoutMs: 1_000, writeTimeoutMs: 2_000 }

/** Disposing of them ends them. */
export class Clients implements AsyncDisposable {
  readonly #writers: readonly { readonly way: StackWay; readonly writer: Writer }[]
  readonly #resources = new Disposer()

  /** Begins to write over every way; the table is there. */
  constructor(cluster: Cluster, stack: PatroniStack, { ratePerSecond, connections }: ClientsLoad) {
    const share = Math.max(1, Math.round(ratePerSecond / stackWays.length))
    this.#writers = stackWays.map(way => {
      const open = this.#resources.use(openWay(cluster, stack, { way, connections, ...LIMITS }))
      const load = { ratePerSecond: share, connections, ...LIMITS }
      const writer = this.#resources.use(new Writer(open.servers, { ...load, way: open.way }))
      writer.start()
      return { way, writer }
    })
  }

  /** Waits until so many more writes are acknowledged over each way; returns those over which they were not in time. */
  async acknowledge(count: number, limits: { readonly timeoutMs: number }): Promise<readonly StackWay[]> {
    const silent = await Promise.all(
      this.#writers.map(async ({ way, writer }) => {
        try {
          await writer.acknowledges(count, limits)
          return []
        } catch (error) {
          if (!isLabError(error, 'TIMEOUT')) throw error
          return [way]
        }
      }),
    )
    return silent.flat()
  }

  /** Ends them, lets what is in flight settle, and returns what each was told. */
  async stop(): Promise<readonly WayHistory[]> {
    const all = await Promise.all(this.#writers.map(async ({ way, writer }) => ({ way, history: await writer.stop() })))
    await this[Symbol.asyncDispose]()
    return all
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }
}
