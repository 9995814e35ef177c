/**
 * The Docker runtime: Compose for up and down, the engine's API for everything else.
 */
import type Docker from 'dockerode'
import { LabError } from '../../errors.ts'
import { nodeNamed, type NodeSpec, type Topology } from '../../topology/topology.ts'
import { lastLines, run } from '../command.ts'
import { requireFreePort } from '../ports.ts'
import {
  STOP_SIGNALS,
  type CommandResult,
  type Done,
  type Endpoint,
  type Interruptible,
  type NodeState,
  type PsqlCommand,
  type Runtime,
  type StopMode,
  type UpOptions,
} from '../runtime.ts'
import { Containers, tolerateDone } from './containers.ts'
import { connectEngine, requireImage } from './engine.ts'

/**
 * Finds the Docker Engine.
 * @throws LabError NO_RUNTIME when there is none.
 */
export async function createDockerRuntime(topology: Topology): Promise<DockerRuntime> {
  return new DockerRuntime(topology, await connectEngine(topology.variables))
}

export class DockerRuntime implements Runtime {
  readonly name = 'docker'
  readonly description: string
  readonly #topology: Topology
  readonly #engine: Docker
  readonly #containers: Containers

  constructor(topology: Topology, engine: Docker) {
    this.#topology = topology
    this.#engine = engine
    this.#containers = new Containers(engine, topology.project)
    this.description = `the image ${topology.nodes[0]?.image ?? ''}`
  }

  /** Makes sure that the engine has the images, pulling them where that is allowed. @throws LabError IMAGE_UNAVAILABLE */
  async requireImages(
    options: Pick<UpOptions, 'signal' | 'onProgress'> & { readonly mayPull: boolean },
  ): Promise<void> {
    for (const image of new Set(this.#topology.nodes.map(node => node.image))) {
      await requireImage(this.#engine, image, { variables: this.#topology.variables, ...options })
    }
  }

  async up({ signal, onProgress }: UpOptions): Promise<void> {
    await this.requireImages({ signal, onProgress, mayPull: true })
    for (const node of this.#topology.nodes) {
      const state = await this.state(node.name)
      if (state === 'frozen') await this.thaw(node.name)
      if (state === 'running' || state === 'frozen') continue
      await requireFreePort(node.name, node.client, port => this.#containers.publisher(port))
    }
    await this.#containers.removeNeverStarted()
    onProgress?.('docker compose up')
    await this.#compose(['up', '--detach'], signal)
  }

  async down({ keepData, signal }: Interruptible & { readonly keepData: boolean }): Promise<void> {
    for (const { name } of this.#topology.nodes) if ((await this.state(name)) === 'frozen') await this.thaw(name)
    if (keepData) {
      // --volumes means the anonymous ones here: the images up to 17 make an empty one for each container.
      await this.#compose(['rm', '--stop', '--force', '--volumes'], signal)
      await this.#compose(['down', '--remove-orphans'], signal)
    } else await this.#compose(['down', '--remove-orphans', '--volumes', '--timeout', '0'], signal)
  }

  async #compose(args: readonly string[], signal: AbortSignal | undefined): Promise<void> {
    const { file, project, variables } = this.#topology
    const argv = ['docker', 'compose', '--file', file, '--project-name', project, '--ansi', 'never', ...args] as const
    const { exitCode, stderr } = await run([...argv], { environment: variables, signal })
    if (exitCode === 0) return
    throw new LabError('DOCKER_FAILED', `docker compose ${args[0]} failed: ${lastLines(stderr, 2)}`, {
      hint: `Try it by hand: docker compose ${args.join(' ')}`,
    })
  }

  async hasCluster(): Promise<boolean> {
    return await this.#containers.hasAny()
  }

  async state(node: string): Promise<NodeState> {
    return await this.#containers.state(node)
  }

  async start(node: string): Done {
    const container = await this.#containers.get(node)
    await tolerateDone(`cannot start ${node}`, container.start())
    return `docker start ${this.#label(node)}`
  }

  async stop(node: string, mode: StopMode): Done {
    const container = await this.#containers.get(node)
    await tolerateDone(`cannot stop ${node}`, container.stop({ signal: STOP_SIGNALS[mode], t: 60 }))
    return `docker stop ${mode === 'fast' ? '' : `--signal ${STOP_SIGNALS[mode]} `}${this.#label(node)}`
  }

  async crash(node: string): Done {
    const container = await this.#containers.get(node)
    if (await this.#isUp(node)) await tolerateDone(`cannot kill ${node}`, container.kill({ signal: 'SIGKILL' }))
    await container.wait({ condition: 'not-running' })
    return `docker kill ${this.#label(node)}`
  }

  async #isUp(node: string): Promise<boolean> {
    const state = await this.state(node)
    return state === 'running' || state === 'frozen'
  }

  async freeze(node: string): Done {
    await tolerateDone(`cannot pause ${node}`, (await this.#containers.get(node)).pause())
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

  async runOffline(
    name: string,
    argv: readonly [string, ...string[]],
    { signal }: Interruptible = {},
  ): Promise<CommandResult> {
    const environment = [
      `PGPASSFILE=${this.#spec(name).data.mountedAt}/.pgpass`,
      'SCRIPTS=/replica-entrypoint',
      'LC_ALL=C',
    ]
    return await this.#containers.runBeside(name, argv, { environment, signal })
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

  async psql(
    node: string,
    args: readonly string[],
    { terminal }: { readonly terminal: boolean },
  ): Promise<PsqlCommand> {
    const { superuser, database } = this.#topology
    const flags = terminal ? '-it' : '-i'
    const psql = ['psql', '-U', superuser.user, '-d', database, ...args]
    return { argv: ['docker', 'exec', flags, this.#label(node), ...psql], environment: {} }
  }

  /** Nothing to release: the containers are meant to outlive the command, and no connection is kept open. */
  async [Symbol.asyncDispose](): Promise<void> {}

  #spec(name: string): NodeSpec {
    return nodeNamed(this.#topology, name)
  }

  /** The container as a person would name it. */
  #label(name: string): string {
    return this.#spec(name).containerName ?? `${this.#topology.project}-${name}-1`
  }
}
