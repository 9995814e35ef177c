/**
 * The Docker runtime: Compose for up and down, the engine's API for everything else.
 */
import { isLabError, LabError } from '../../errors.ts'
import { withHosts } from '../../postgres/conninfo.ts'
import type { ComposeSource } from '../../topology/compose/source.ts'
import { topologyOf } from '../../topology/read.ts'
import { nodeNamed, type Member, type NodeSpec, type Topology } from '../../topology/topology.ts'
import { together } from '../../together.ts'
import { met, notMet, waitUntil, type Condition } from '../../wait.ts'
import { lastLines, run } from '../command.ts'
import { takeLock, type Lock, type LockOptions } from '../lock.ts'
import { Membership } from '../membership.ts'
import { requireFreePort } from '../ports.ts'
import {
  OFFLINE_TIMEOUT_MS,
  STOP_SIGNALS,
  type CommandResult,
  type Done,
  type Endpoint,
  type Interruptible,
  type NetworkControl,
  type NodeState,
  type OfflineOptions,
  type ForegroundCommand,
  type ForegroundOptions,
  type Runtime,
  type StopMode,
  type StopOptions,
  type Traces,
  type UpOptions,
} from '../runtime.ts'
import { askCompose } from './ask-compose.ts'
import { Containers, tolerateDone } from './containers.ts'
import { connectEngine, requireImage, statusCode, type Engine } from './engine.ts'
import { readManager } from './manager.ts'
import { composeFiles, MEMBERS_SCRIPT, membersJson, membersScript, removeMembersFiles } from './members.ts'
import { dockerNetwork, requireNetworks } from './network.ts'

const PAUSE_TIMEOUT_MS = 10_000

/** Of what takes no `timeoutMs` of its own: it waits for fast shutdowns, one node beside the other. */
const COMPOSE_TIMEOUT_MS = 180_000

/**
 * Finds the Docker Engine, and asks Compose what its files say.
 * @throws LabError NO_RUNTIME when there is none, COMPOSE_FILE_INVALID, NO_PRIMARY_SERVICE
 */
export async function createDockerRuntime(source: ComposeSource): Promise<DockerRuntime> {
  const engine = await connectEngine(source.variables)
  const topology = topologyOf(source, await askCompose(source))
  requireNetworks(topology)
  return new DockerRuntime(await Membership.read(topology, { file: membersJson(topology) }), engine)
}

export class DockerRuntime implements Runtime {
  readonly name = 'docker'
  readonly template = undefined
  readonly description: string
  readonly network: NetworkControl
  readonly #membership: Membership
  readonly #engine: Engine
  readonly #containers: Containers

  constructor(membership: Membership, engine: Engine) {
    const { topology } = membership
    this.#membership = membership
    this.#engine = engine
    this.#containers = new Containers(engine, topology.project)
    this.network = dockerNetwork(engine.prompt, this.#containers)
    this.description = `the image ${topology.nodes[0]?.image ?? ''}`
  }

  get topology(): Topology {
    return this.#membership.topology
  }

  async refresh(): Promise<void> {
    await this.#membership.refresh()
  }

  async addMember(member: Member, { signal }: Interruptible = {}): Promise<void> {
    await this.#membership.add(member)
    // Only made: what it must know before it starts is put on its volume.
    await this.#compose(['up', '--no-start', '--no-deps', '--no-recreate', member.name], { signal })
    await this.#tellMembers(this.topology.nodes)
  }

  async removeMember(name: string): Promise<void> {
    await this.#containers.remove(name, this.#spec(name).data.volume)
    await this.#membership.remove(name)
    await this.#tellMembers(this.topology.nodes)
  }

  /** Tells each container which nodes there are by now. */
  async #tellMembers(nodes: readonly NodeSpec[]): Promise<void> {
    await together(nodes, async ({ name, data }) => {
      if ((await this.state(name)) === 'absent') return
      const script = membersScript(this.topology.nodes, this.standbyConninfo(name))
      await this.#containers.write(name, `${data.mountedAt}/${MEMBERS_SCRIPT}`, script)
    })
  }

  /** Makes sure that the engine has the images, pulling them where that is allowed. @throws LabError IMAGE_UNAVAILABLE */
  async requireImages(
    options: Pick<UpOptions, 'signal' | 'onProgress'> & { readonly mayPull: boolean },
  ): Promise<void> {
    for (const image of new Set(this.topology.nodes.map(node => node.image))) {
      await requireImage(this.#engine.prompt, image, { variables: this.topology.variables, ...options })
    }
  }

  async up({ timeoutMs, signal, onProgress }: UpOptions): Promise<void> {
    await this.#membership.refresh()
    await this.requireImages({ signal, onProgress, mayPull: true })
    for (const node of this.topology.nodes) {
      const state = await this.state(node.name)
      if (state === 'frozen') await this.thaw(node.name)
      if (state === 'running' || state === 'frozen') continue
      await requireFreePort(node.name, node.client, port => this.#containers.publisher(port))
    }
    await this.#containers.removeInterrupted()
    onProgress?.('docker compose up')
    if (this.topology.members.length > 0) {
      await this.#compose(['up', '--no-start'], { timeoutMs, signal })
      await this.#tellMembers(this.topology.nodes)
    }
    await this.#compose(['up', '--detach'], { timeoutMs, signal })
  }

  async down({ keepData, signal }: Interruptible & { readonly keepData: boolean }): Promise<void> {
    await this.#membership.refresh()
    for (const { name } of this.topology.nodes) if ((await this.state(name)) === 'frozen') await this.thaw(name)
    const data = keepData ? [] : ['--volumes', '--timeout', '0']
    await this.#compose(['down', '--remove-orphans', ...data], { signal, profile: '*' })
    if (keepData) return
    await removeMembersFiles(this.topology)
    this.#membership.forget()
  }

  /** @param options.profile what is only there with a profile, too: without it, `down` leaves the application's container */
  async #compose(
    args: readonly string[],
    { timeoutMs = COMPOSE_TIMEOUT_MS, signal, profile }: StopOptions & { readonly profile?: string },
  ): Promise<void> {
    const { project, variables } = this.topology
    const files = (await composeFiles(this.topology)).flatMap(file => ['--file', file])
    const common = [...files, ...(profile === undefined ? [] : ['--profile', profile]), '--project-name', project]
    const argv = ['docker', 'compose', ...common, '--ansi', 'never', ...args] as const
    const { exitCode, stderr } = await run([...argv], { environment: variables, timeoutMs, signal })
    if (exitCode === 0) return
    throw new LabError('DOCKER_FAILED', `docker compose ${args[0]} failed: ${lastLines(stderr, 2)}`, {
      hint: `Try it by hand: docker compose ${args.join(' ')}`,
    })
  }

  async hasCluster(): Promise<boolean> {
    return await this.#containers.hasAny()
  }

  readonly manager = (): ReturnType<typeof readManager> => readManager(this.#engine.prompt, this.topology)

  async lock(options: LockOptions): Promise<Lock> {
    const { ID } = (await this.#engine.prompt.info()) as { ID: string }
    return await takeLock(`docker ${ID} ${this.topology.project}`, () => this.refresh(), options)
  }

  async state(node: string): Promise<NodeState> {
    return await this.#containers.state(node)
  }

  async start(node: string): Done {
    const container = await this.#containers.get(node)
    if (this.topology.members.length > 0) await this.#tellMembers([this.#spec(node)])
    await tolerateDone(`cannot start ${node}`, container.start())
    return `docker start ${this.#label(node)}`
  }

  async stop(node: string, mode: StopMode, { timeoutMs = 60_000, signal }: StopOptions = {}): Done {
    await this.#containers.stop(node, { signalName: STOP_SIGNALS[mode], timeoutMs, signal })
    return `docker kill --signal ${STOP_SIGNALS[mode]} ${this.#label(node)}`
  }

  async crash(node: string): Done {
    await this.#containers.kill(node)
    return `docker kill ${this.#label(node)}`
  }

  async freeze(node: string): Done {
    const container = await this.#containers.get(node)
    let last: unknown
    // On a busy machine the kernel's freezer (cgroup v1) may not get all processes to stand still; the engine answers 500.
    const paused: Condition<undefined> = {
      what: `the engine to pause ${node}`,
      observe: async () => {
        await tolerateDone(`cannot pause ${node}`, container.pause()).catch((error: unknown) => (last = error))
        if ((await this.state(node)) === 'frozen') return met(undefined)
        if (!isLabError(last) || statusCode(last.cause) !== 500) throw last
        return notMet(last.message)
      },
    }
    await waitUntil(paused, { timeoutMs: PAUSE_TIMEOUT_MS })
    return `docker pause ${this.#label(node)}`
  }

  async thaw(node: string): Done {
    await tolerateDone(`cannot unpause ${node}`, (await this.#containers.get(node)).unpause())
    return `docker unpause ${this.#label(node)}`
  }

  async fence(name: string): Done {
    const { data } = this.#spec(name)
    const folder = `${data.mountedAt}/${data.directory}`
    await this.#containers.touch(name, folder, 'standby.signal')
    return `docker cp standby.signal ${this.#label(name)}:${folder}/`
  }

  async discard(name: string): Done {
    const { mountedAt } = this.#spec(name).data
    await this.#containers.touch(name, mountedAt, 'clone-anew')
    return `docker cp clone-anew ${this.#label(name)}:${mountedAt}/`
  }

  async isDiscarded(name: string): Promise<boolean> {
    return (await this.#containers.read(name, `${this.#spec(name).data.mountedAt}/clone-anew`)) !== undefined
  }

  async traces(): Promise<Traces> {
    return { ...(await this.#containers.traces()), expectedFiles: this.topology.nodes.map(({ data }) => data.volume) }
  }

  async runOffline(
    name: string,
    argv: readonly [string, ...string[]],
    { timeoutMs = OFFLINE_TIMEOUT_MS, signal }: OfflineOptions = {},
  ): Promise<CommandResult> {
    const environment = this.#offlineEnvironment(name)
    return await this.#containers.runBeside(name, argv, { environment, timeoutMs, signal })
  }

  #offlineEnvironment(name: string): string[] {
    return [`PGPASSFILE=${this.#spec(name).data.mountedAt}/.pgpass`, 'SCRIPTS=/replica-entrypoint', 'LC_ALL=C']
  }

  async readData(name: string, path: string): Promise<Uint8Array | undefined> {
    const { data } = this.#spec(name)
    return await this.#containers.read(name, `${data.mountedAt}/${data.directory}/${path}`)
  }

  /** The official images have all of PostgreSQL's programs. */
  async offers(): Promise<boolean> {
    return true
  }

  clientEndpoint(node: string): Endpoint {
    return this.#spec(node).client
  }

  peerEndpoint(node: string): Endpoint {
    return { host: `${this.#spec(node).name}.replication`, port: 5432 }
  }

  standbyConninfo(node: string): string {
    const peers = this.topology.nodes.map(({ name }) => this.peerEndpoint(name))
    return withHosts(this.#spec(node).environment['PRIMARY_CONNINFO'] ?? '', peers)
  }

  async log(node: string, options: { readonly lines: number }): Promise<string> {
    const { stdout, stderr } = await this.#containers.output(await this.#containers.get(node), options)
    return lastLines(stdout + stderr, options.lines)
  }

  async followLog(
    node: string,
    write: (chunk: string) => void,
    options: { signal: AbortSignal; lines: number },
  ): Promise<void> {
    await this.#containers.follow(await this.#containers.get(node), write, options)
  }

  async psql(node: string, args: readonly string[], { terminal }: ForegroundOptions): Promise<ForegroundCommand> {
    const { superuser, database } = this.topology
    const { id } = await this.#containers.get(node)
    const psql = ['psql', '-U', superuser.user, '-d', database, ...args]
    return { argv: ['docker', 'exec', terminal ? '-it' : '-i', id, ...psql], environment: {} }
  }

  async offlineCommand(
    name: string,
    argv: readonly [string, ...string[]],
    { terminal }: ForegroundOptions,
  ): Promise<ForegroundCommand> {
    return await this.#containers.commandBeside(name, argv, { environment: this.#offlineEnvironment(name), terminal })
  }

  /** Nothing to release: the containers are meant to outlive the command, and no connection is kept open. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #spec(name: string): NodeSpec {
    return nodeNamed(this.topology, name)
  }

  /** The container as a person would name it. */
  #label(name: string): string {
    return this.#spec(name).containerName ?? `${this.topology.project}-${name}-1`
  }
}
