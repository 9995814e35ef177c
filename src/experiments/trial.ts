/**
 * A trial: one client writing, every node's position looked at, one fault, one failover, one record.
 */
import { cpus } from 'node:os'
import { packageVersion } from '../package-folder.ts'
import { readAfterPromotion } from '../operations/after-promotion.ts'
import { readDivergence, type Divergence } from '../operations/divergence.ts'
import { failover, type Failover } from '../operations/failover/failover.ts'
import { inflict, type FailoverFault } from '../faults/power.ts'
import { cutFromWal } from '../faults/replication.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { primaryOf, standbysOf, type PrimaryStatus } from '../cluster/node-status.ts'
import { switchover, type Switchover, type SwitchoverOptions } from '../operations/switchover/switchover.ts'
import { Disposer } from '../dispose.ts'
import { lagAt, type LagAtInstant } from '../measure/lag.ts'
import { type Milestones } from '../measure/outage.ts'
import { failoverRecord, type FailoverRecord, type RunRecord } from '../measure/record.ts'
import { pause } from '../wait.ts'
import type { History } from '../history/history.ts'
import { readSettings } from './trial-settings.ts'
import { Sampler, type PositionKind } from '../client/sampler.ts'
import type { Way } from '../client/lane.ts'
import { readSurvivors, startWriter, type Writer, type WriterOptions } from '../client/writer.ts'

/** What a run leaves: the record, and the evidence that it was drawn up from. */
export interface RunResult<R extends RunRecord = RunRecord> {
  readonly record: R
  readonly history: History
  /** Instants of performance.now(): when the fault began, and what the failover did when. */
  readonly milestones: Milestones & { readonly faultAt: number }
}

/** The same of the lab's own cluster. */
export type TrialResult = RunResult<FailoverRecord>

/** What takes the primary's role away. */
export type Disturbance = FailoverFault | 'switchover'

/** A compromise: the lag at the fault is at most so old, and 300 looks a second cost the writes little (`pnpm run bench`, sampling). */
const LOOK_EVERY_MS = 10

/**
 * A client at work on a cluster that is well, until {@link Trial.finish}. Disposing of it ends the client.
 * @example
 * ```ts
 * await using trial = await startTrial(cluster)
 * const { name } = trial.oldPrimary
 * ```
 */
export class Trial implements AsyncDisposable {
  readonly oldPrimary: PrimaryStatus
  readonly writer: Writer
  readonly #cluster: Cluster
  readonly #samplers: ReadonlyMap<string, Sampler>
  readonly #settings: Readonly<Record<string, string>>
  readonly #resources: AsyncDisposable
  #fault: { readonly kind: Disturbance; readonly at: number; readonly date: Date } | undefined
  #cutMs = 0

  /** Called by {@link startTrial}. */
  constructor(cluster: Cluster, parts: TrialParts) {
    this.#cluster = cluster
    this.oldPrimary = parts.oldPrimary
    this.writer = parts.writer
    this.#samplers = parts.samplers
    this.#settings = parts.settings
    this.#resources = parts.resources
  }

  /** Notes what is done to the primary, and that it begins now. */
  begins(kind: Disturbance): void {
    this.#fault = { kind, at: performance.now(), date: new Date() }
  }

  /** Notes for how long the standbys have been cut off from WAL before the fault. */
  wasCutFor(ms: number): void {
    this.#cutMs = ms
  }

  /** Strikes the primary, and notes when. @throws LabError as the fault does */
  async inflict(fault: FailoverFault, signal?: AbortSignal): Promise<void> {
    this.begins(fault)
    await inflict(this.#cluster, this.oldPrimary.name, { fault, signal })
  }

  /**
   * Ends the client and draws up the record. After a failover to be called while the old primary is still down, or what it
   * alone has cannot be read any more.
   * @throws LabError NO_PRIMARY, UNREACHABLE, INTERRUPTED
   */
  async finish(done: Failover | Switchover, signal?: AbortSignal): Promise<TrialResult> {
    const history = await this.writer.stop()
    await this.#resources[Symbol.asyncDispose]()
    const { kind: fault = 'crash', at: faultAt = done.detectedAt, date = new Date() } = this.#fault ?? {}
    const record = failoverRecord({
      runtime: this.#cluster.runtime.name,
      postgresVersion: this.oldPrimary.serverVersion,
      fault,
      synchronousCommit: this.oldPrimary.synchronousCommit,
      failover: done,
      history,
      survivors: await readSurvivors(this.#cluster, history.run, signal),
      ...(await divergenceOf(this.#cluster, done, signal)),
      load: this.writer.load,
      lagAtFault: this.#lagAt(faultAt),
      settings: this.#settings,
      at: date.toISOString(),
      labVersion: packageVersion(),
      cutMs: this.#cutMs,
      afterPromotion: await readAfterPromotion(this.#cluster, this.oldPrimary, signal),
      machine: thisMachine(),
      ...this.#onOldPrimary(history, done.promotedAt),
    })
    const { detectedAt, fencedAt, promotedAt } = done
    return { record, history, milestones: { faultAt, detectedAt, fencedAt, promotedAt } }
  }

  /** What the old primary went on to do as a primary beside the new one. */
  #onOldPrimary({ writes }: History, promotedAt: number): OnOldPrimary {
    const { name } = this.oldPrimary
    const reads = this.#samplers.get(name)?.positions.filter(({ askedAt }) => askedAt > promotedAt)
    const accepted = writes.filter(({ server, sentAt }) => server === name && sentAt > promotedAt)
    return { readsOnOldPrimary: reads?.length ?? null, splitBrainWrites: accepted.length }
  }

  #lagAt(instant: number): Record<string, LagAtInstant> {
    const primary = this.#samplers.get(this.oldPrimary.name)?.positions ?? []
    const lags = [...this.#samplers].flatMap(([node, { positions: standby }]) => {
      const lag = node === this.oldPrimary.name ? undefined : lagAt(instant, { primary, standby })
      return lag === undefined ? [] : [[node, lag] as const]
    })
    return Object.fromEntries(lags)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }
}

type OnOldPrimary = Pick<FailoverRecord, 'readsOnOldPrimary' | 'splitBrainWrites'>

/** A switchover knows: the old primary goes on as a standby, and has nothing that the new one has not. */
const divergenceOf = async (
  cluster: Cluster,
  done: Failover | Switchover,
  signal: AbortSignal | undefined,
): Promise<Divergence> =>
  'shutdownLsn' in done
    ? { forkLsn: done.forkLsn, walBytesLost: done.walBytesLost }
    : await readDivergence(cluster, done, signal)

/** What the client, and with the local runtime the servers too, ran on. */
export const thisMachine = (): FailoverRecord['machine'] => ({
  platform: `${process.platform} ${process.arch}`,
  cpus: cpus().length,
  node: process.versions.node,
})

interface TrialParts {
  readonly oldPrimary: PrimaryStatus
  readonly writer: Writer
  readonly samplers: ReadonlyMap<string, Sampler>
  readonly settings: Readonly<Record<string, string>>
  readonly resources: AsyncDisposable
}

/**
 * Starts a client, and looks at every node's position from now on. @throws LabError NO_PRIMARY and the like
 * @example
 * ```ts
 * await using trial = await startTrial(cluster)
 * await trial.writer.acknowledges(100, { timeoutMs: 10_000 })
 * ```
 */
export async function startTrial(cluster: Cluster, options: WriterOptions = {}): Promise<Trial> {
  const { signal } = options
  const all = await cluster.status(signal)
  const oldPrimary = primaryOf(all)
  const settings = await cluster.ask(oldPrimary.name, readSettings, signal)
  const resources = new Disposer()
  try {
    const samplers = new Map<string, Sampler>()
    const look = async (node: string, position: PositionKind): Promise<void> => {
      const session = await cluster.connect(node, { applicationName: 'lab sampler', signal })
      samplers.set(node, resources.use(new Sampler(session, { position, everyMs: LOOK_EVERY_MS })))
    }
    await look(oldPrimary.name, 'written')
    for (const { name } of standbysOf(all)) await look(name, 'received')
    const writer = resources.use(await startWriter(cluster, options))
    return new Trial(cluster, { oldPrimary, writer, samplers, settings, resources })
  } catch (error) {
    await resources[Symbol.asyncDispose]()
    throw error
  }
}

export interface RunTrialOptions extends WriterOptions {
  /** Writes go through it; in a switchover it lets them wait. @default the writer finds the primary itself */
  readonly way?: Way | undefined
  readonly fault: Disturbance
  /** Which standby to promote. @default the one that received most */
  readonly to?: string | undefined
  /** Cut the standbys from WAL for so many milliseconds before the fault; they are let back right after it. @default 0: not at all */
  readonly cutMs?: number | undefined
  /** Writes acknowledged before anything happens, after the first 100. @default 0 */
  readonly steadyWrites?: number | undefined
  /** Limit in milliseconds of each thing that is waited for. */
  readonly timeoutMs: number
}

/** As {@link TrialResult}, and the span in which nothing had happened yet; instants of performance.now(). */
export interface WholeTrial extends TrialResult {
  readonly steady: { readonly from: number; readonly to: number }
}

/**
 * A whole trial, from a cluster that is well to the record. The old primary stays down: up brings it back.
 * @example
 * ```ts
 * const { record } = await runTrial(cluster, { fault: 'crash', timeoutMs: 60_000 })
 * console.log(record.writes, record.outageMs, record.verdict)
 * ```
 */
export async function runTrial(cluster: Cluster, options: RunTrialOptions): Promise<WholeTrial> {
  const { cutMs = 0, steadyWrites = 0, timeoutMs, signal } = options
  await using trial = await startTrial(cluster, options)
  const { ratePerSecond } = trial.writer.load
  await trial.writer.acknowledges(Math.min(100, ratePerSecond), { timeoutMs })
  const steadyFrom = performance.now()
  await trial.writer.acknowledges(steadyWrites, { timeoutMs })
  const steady = { from: steadyFrom, to: performance.now() }
  const standbys = cluster.nodes.map(({ name }) => name).filter(name => name !== trial.oldPrimary.name)
  await using cut = cutMs > 0 ? await cutFromWal(cluster, standbys, { timeoutMs, signal }) : undefined
  if (cut !== undefined) await pause(cutMs, signal)
  trial.wasCutFor(cutMs)
  const done = await change(cluster, trial, { ...options, cut })
  await trial.writer.acknowledges(Math.min(50, ratePerSecond), { timeoutMs })
  return { ...(await trial.finish(done, signal)), steady }
}

/** A switchover; where clients go through a router, their writes wait meanwhile, and go on with whoever is the primary then. */
export async function switchedOver(
  cluster: Cluster,
  { way, ...options }: SwitchoverOptions & { readonly way: Way | undefined },
): Promise<Switchover> {
  await way?.hold(options.timeoutMs)
  const stop = cluster.onEvent(event => {
    if (event.kind === 'promoted') way?.release() // what follows, nobody has to wait for
  })
  try {
    return await switchover(cluster, options)
  } finally {
    stop()
    way?.release()
  }
}

/** The change of roles itself. */
async function change(
  cluster: Cluster,
  trial: Trial,
  { fault, cut, to, way, timeoutMs, signal }: RunTrialOptions & { readonly cut: AsyncDisposable | undefined },
): Promise<Failover | Switchover> {
  if (fault === 'switchover') {
    trial.begins(fault)
    return await switchedOver(cluster, { way, to, timeoutMs, signal })
  }
  await trial.inflict(fault, signal)
  await cut?.[Symbol.asyncDispose]()
  return await failover(cluster, trial.oldPrimary.name, { to, timeoutMs, signal })
}
