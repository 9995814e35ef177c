/**
 * A cluster as a test sees it: an object with an address, on which faults and procedures are methods. Each calls the function
 * that the command calls; what they add is the limits, and the memory of what was done, which a load is judged by.
 */
import type { Cluster } from '../cluster/cluster.ts'
import { waitForCatchUp } from '../cluster/catch-up.ts'
import { healthy } from '../cluster/conditions.ts'
import {
  primaryOf,
  requireStandby,
  standbysOf,
  type NodeStatus,
  type PrimaryStatus,
  type StandbyStatus,
} from '../cluster/node-status.ts'
import { Load, type LoadOptions } from '../client/load.ts'
import { Disposer } from '../dispose.ts'
import { blackHole, isolate, slowNetwork, type Direction } from '../faults/network.ts'
import { crash, freeze, inflict, shutDown, type FailoverFault } from '../faults/power.ts'
import { cutFromWal } from '../faults/replication.ts'
import type { LoadEvidence } from '../measure/load.ts'
import type { Milestones } from '../measure/outage.ts'
import { pauseReplay } from '../operations/delay.ts'
import { failover, type Failover } from '../operations/failover/failover.ts'
import { promote } from '../operations/promote.ts'
import { rejoin, type Rejoined } from '../operations/rejoin.ts'
import { switchover, type Switchover } from '../operations/switchover/switchover.ts'
import type { ServerAddress } from '../postgres/connection.ts'
import { startAgain } from '../temporary-cluster.ts'
import { waitUntil } from '../wait.ts'
import { Addresses, type Account, type AddressOptions, type OpenAddress } from './addresses.ts'
import { countIn } from './count.ts'
import { Fault } from './fault.ts'
import { lagsIn, type StandbyLag } from './lag.ts'
import { limited, TIMEOUT_MS, type Limits } from './limits.ts'
import { Roles, type Promotion } from './roles.ts'

export interface ClusterQueryOptions {
  /** @default the primary */
  readonly node?: string | undefined
  /** `app` owns the databases; `superuser` can do anything. @default 'app' */
  readonly as?: 'app' | 'superuser' | undefined
  /** @default the cluster's */
  readonly database?: string | undefined
}

/** What makes a cluster fit for a test: roles, databases, a schema. Done at the start and after every reset. */
export type Prepare = (cluster: TestCluster) => Promise<void>

/**
 * Made by {@link startCluster}. Disposing of it ends the servers and removes everything.
 * @example
 * ```ts
 * const test: TestCluster = await startCluster()
 * await test.dispose()
 * ```
 */
export class TestCluster implements AsyncDisposable {
  /** The same cluster for the functions of the library: `delayReplay(cluster.core, …)`. */
  readonly core: Cluster
  readonly #roles: Roles
  readonly #addresses: Addresses
  readonly #primaryAddress: OpenAddress
  readonly #standbysAddress: Pick<OpenAddress, 'url'>
  readonly #app: Account
  readonly #prepare: Prepare
  readonly #resources: Disposer
  readonly #faults: number[] = []
  readonly #failovers: Milestones[] = []
  readonly #loads = new Set<Load>()

  private constructor(core: Cluster, parts: Parts) {
    this.core = core
    this.#roles = parts.roles
    this.#addresses = parts.addresses
    this.#primaryAddress = parts.primaryAddress
    this.#standbysAddress = parts.standbysAddress
    this.#app = parts.app
    this.#prepare = parts.prepare
    this.#resources = parts.resources
  }

  /** Takes over a cluster that is up; it goes with this. */
  static async over(core: Cluster, { app, prepare, address }: OverOptions): Promise<TestCluster> {
    const resources = new Disposer()
    resources.use(core)
    try {
      const roles = resources.use(new Roles(core, await core.primary()))
      const addresses = resources.use(await Addresses.open(core, roles))
      const primaryAddress = await addresses.toPrimary(app, address)
      const standbysAddress = await addresses.toStandbys(app)
      const parts = { roles, addresses, primaryAddress, standbysAddress, app, prepare, resources }
      const cluster = new TestCluster(core, parts)
      await prepare(cluster)
      return cluster
    } catch (error) {
      await resources[Symbol.asyncDispose]()
      throw error
    }
  }

  /**
   * The address of the primary of the moment, also through a failover: for the application under test.
   * @example `const pool = new pg.Pool({ connectionString: cluster.url })`
   */
  get url(): string {
    return this.#primaryAddress.url
  }

  /** The address of the standbys, one after another for each new connection; of the primary while none answers. */
  get readUrl(): string {
    return this.#standbysAddress.url
  }

  /** What {@link url} says, for those who take it apart. @example `new pg.Pool({ ...cluster.connectionConfig, max: 4 })` */
  get connectionConfig(): ServerAddress {
    return this.#primaryAddress.connectionConfig
  }

  /** The address of one node, whatever its role. @example `new pg.Client(cluster.urlOf('replica1'))` @throws LabError UNKNOWN_NODE */
  urlOf(node: string): string {
    return this.#addresses.toNode(this.core.node(node).name, this.#app).url
  }

  /**
   * Opens another address of the primary, with what real ones do: one that moves late, or never, or closes old connections.
   * @example `await using dns = await cluster.openAddress({ moveAfterMs: 5_000 })`
   */
  async openAddress(options: AddressOptions = {}): Promise<OpenAddress> {
    return await this.#addresses.toPrimary(this.#app, options)
  }

  /** Every node, as its server tells it. @example `(await cluster.status()).map(({ name, role }) => [name, role])` */
  async status(): Promise<NodeStatus[]> {
    return await this.core.status()
  }

  /** @throws LabError NO_PRIMARY, SPLIT_BRAIN @example `const { name, timeline } = await cluster.primary()` */
  async primary(): Promise<PrimaryStatus> {
    return primaryOf(await this.core.status())
  }

  /** Those that answer. @example `const [first] = await cluster.standbys()` */
  async standbys(): Promise<StandbyStatus[]> {
    return standbysOf(await this.core.status())
  }

  /**
   * Runs a statement, not over an address: whatever is done to the network, it gets there.
   * @example `const [row] = await cluster.query<{ n: number }>('SELECT count(*)::int AS n FROM orders')`
   */
  async query<T extends object = Record<string, unknown>>(
    text: string,
    values: readonly (string | number | boolean)[] = [],
    { node, as = 'app', database }: ClusterQueryOptions = {},
  ): Promise<T[]> {
    const at = node ?? (await this.primary()).name
    const account = as === 'app' ? this.#app : this.core.topology.superuser
    await using session = await this.core.connect(at, { account, database })
    return await session.query<T>(text, values, { timeoutMs: TIMEOUT_MS })
  }

  /** SIGKILL to every process of a node: no flush, no goodbye. @example `await cluster.crash()` */
  async crash(node?: string): Promise<void> {
    await this.#strike(node, name => crash(this.core, name))
  }

  /** A fast shutdown: clients are told, the standbys get everything. @example `await cluster.stop('replica1')` */
  async stop(node?: string, { signal }: Limits = {}): Promise<void> {
    await this.#strike(node, name => shutDown(this.core, name, signal))
  }

  /** SIGSTOP: connections stay open, and nothing answers. @example `await using frozen = await cluster.freeze()` */
  async freeze(node?: string): Promise<Fault> {
    return await this.#scope(node, name => freeze(this.core, name))
  }

  /** Lets a frozen node go on, whoever froze it. @example `await cluster.thaw('replica1')` */
  async thaw(node: string): Promise<void> {
    await this.core.runtime.thaw(this.core.node(node).name)
  }

  /** Cuts a node off from the other nodes; clients reach it. @example `await using cut = await cluster.isolate()` */
  async isolate(
    node?: string,
    { direction, ...limits }: Limits & { readonly direction?: Direction } = {},
  ): Promise<Fault> {
    return await this.#scope(node, name => isolate(this.core, name, { direction, ...limited(limits) }))
  }

  /**
   * What goes over an address to this node, or back, vanishes; it arrives late when the scope ends. A hole that is shorter than
   * the client's own limit tests nothing.
   * @example `await using hole = await cluster.blackHole()`
   */
  async blackHole(node?: string, { direction }: { readonly direction?: Direction } = {}): Promise<Fault> {
    return await this.#scope(node, name => blackHole(this.core, name, { direction }))
  }

  /** What goes over an address to this node is late, or slow. @example `await using slow = await cluster.slow('replica1', { latencyMs: 50 })` */
  async slow(
    node: string | undefined,
    speed: { readonly latencyMs?: number; readonly bytesPerSecond?: number },
  ): Promise<Fault> {
    const options = { towards: 'clients', ...speed, ...limited({}) } as const
    return await this.#scope(node, name => slowNetwork(this.core, name, options))
  }

  /** A standby receives, and applies nothing: reads on it are of yesterday. @example `await using held = await cluster.holdReplay('replica1')` */
  async holdReplay(node: string, limits: Limits = {}): Promise<Fault> {
    return await this.#scope(node, name => pauseReplay(this.core, name, limited(limits)))
  }

  /**
   * Standbys receive nothing any more: what the primary acknowledges meanwhile is on no other node, so a crash then loses it.
   * @example `await using cut = await cluster.cutFromWal()`
   */
  async cutFromWal(nodes?: readonly string[], limits: Limits = {}): Promise<Fault> {
    const names = nodes ?? (await this.standbys()).map(({ name }) => name)
    this.#faults.push(performance.now())
    return new Fault(await cutFromWal(this.core, names, limited(limits)))
  }

  /**
   * Promotes a standby, and nothing else: nobody is fenced, so two nodes may accept writes then. See {@link failover}.
   * @returns its timeline
   * @example `await cluster.promote('replica1')`
   */
  async promote(node: string, limits: Limits = {}): Promise<number> {
    this.#faults.push(performance.now())
    return await promote(this.core, this.core.node(node).name, limited(limits))
  }

  /**
   * The whole of it: the primary goes, it is fenced, a standby is promoted, and the address moves at the promotion.
   * `fault: 'none'` where it is down already.
   * @example `const { newPrimary, timeline } = await cluster.failover({ fault: 'crash' })`
   */
  async failover({ fault = 'crash', to, ...limits }: ClusterFailoverOptions = {}): Promise<Failover> {
    const all = await this.core.status(limits.signal)
    // Before anybody is struck.
    if (to !== undefined) requireStandby(all, this.core.node(to).name)
    const old = fault === 'none' ? this.#roles.primary : primaryOf(all).name
    if (fault !== 'none') await this.#strike(old, name => inflict(this.core, name, { fault, signal: limits.signal }))
    const done = await failover(this.core, old, { to, ...limited(limits) })
    this.#failovers.push(done)
    return done
  }

  /** The primary and a standby change places, and nothing is lost. @example `await cluster.switchover({ to: 'replica1' })` */
  async switchover({ to, ...limits }: Limits & { readonly to?: string } = {}): Promise<Switchover> {
    this.#faults.push(performance.now())
    const done = await switchover(this.core, { to, ...limited(limits) })
    this.#failovers.push(done)
    return done
  }

  /** A node that is down, or has another history, is a standby again. @example `await cluster.rejoin('primary')` */
  async rejoin(node: string, limits: Limits = {}): Promise<Rejoined> {
    return await rejoin(this.core, node, limited(limits))
  }

  /** Of each standby that answers. @example `const { replica1 } = await cluster.lag()` */
  async lag(): Promise<Readonly<Record<string, StandbyLag>>> {
    return lagsIn(await this.core.status())
  }

  /** Until every standby that answers has applied what is written now. @throws LabError TIMEOUT @example `await cluster.waitForCatchUp()` */
  async waitForCatchUp(limits: Limits = {}): Promise<void> {
    await waitForCatchUp(this.core, limited(limits))
  }

  /** Until there is one primary, and every other node streams from it. @throws LabError TIMEOUT @example `await cluster.waitUntilStreaming()` */
  async waitUntilStreaming(limits: Limits = {}): Promise<PrimaryStatus> {
    return await waitUntil(healthy(this.core), limited(limits))
  }

  /**
   * As it was when it had started: data, roles, timelines, slots and settings, whatever was done to it. The addresses stay, and
   * connections over them end. A load that still runs is stopped.
   * @example `beforeEach(() => cluster.reset())`
   */
  async reset(limits: Limits = {}): Promise<void> {
    for (const load of this.#loads) await load[Symbol.asyncDispose]()
    this.#loads.clear()
    this.#faults.length = 0
    this.#failovers.length = 0
    await startAgain(this.core, limited(limits))
    this.#roles.startAnew(await this.primary())
    await this.#prepare(this)
  }

  /** Calls `listener` at each promotion, whoever does it; returns how to stop that. @example `cluster.onPromotion(({ node }) => console.log(node))` */
  onPromotion(listener: (promotion: Promotion) => void): () => void {
    return this.#roles.onPromotion(listener)
  }

  /**
   * Requests of the application, one due every so often, each with an id of its own; judged by what is in its table then.
   * @example `await using load = cluster.load({ send: (id, signal) => app.post(id, signal) })`
   */
  load(options: LoadOptions): Load {
    const changesSince = (at: number): Pick<LoadEvidence, 'faults' | 'failovers'> => ({
      faults: this.#faults.filter(instant => instant >= at),
      failovers: this.#failovers.filter(({ fencedAt }) => fencedAt >= at),
    })
    const { connectionConfig } = this
    const count = countIn((question, values, where) => this.query(question, values, where))
    const load = new Load({ connectionConfig, changesSince, count }, options)
    this.#loads.add(load)
    return load
  }

  /** Ends it, where `await using` cannot be parsed. Idempotent. @example `after(() => cluster.dispose())` */
  async dispose(): Promise<void> {
    for (const load of this.#loads) await load[Symbol.asyncDispose]()
    await this.#resources[Symbol.asyncDispose]()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.dispose()
  }

  async #strike(node: string | undefined, strike: (name: string) => Promise<void>): Promise<void> {
    const name = await this.#named(node)
    this.#faults.push(performance.now())
    await strike(name)
  }

  async #scope(node: string | undefined, begin: (name: string) => Promise<AsyncDisposable>): Promise<Fault> {
    const name = await this.#named(node)
    this.#faults.push(performance.now())
    return new Fault(await begin(name))
  }

  async #named(node: string | undefined): Promise<string> {
    return node === undefined ? (await this.primary()).name : this.core.node(node).name
  }
}

export interface ClusterFailoverOptions extends Limits {
  /** How the primary goes. `none`: it is down already. @default 'crash' */
  readonly fault?: FailoverFault | 'none' | undefined
  /** Which standby to promote. @default the one that received most */
  readonly to?: string | undefined
}

interface OverOptions {
  readonly app: Account
  readonly prepare: Prepare
  readonly address: AddressOptions
}

interface Parts extends Pick<OverOptions, 'app' | 'prepare'> {
  readonly roles: Roles
  readonly addresses: Addresses
  readonly primaryAddress: OpenAddress
  readonly standbysAddress: Pick<OpenAddress, 'url'>
  readonly resources: Disposer
}
