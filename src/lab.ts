/**
 * Composition: the compose file, a runtime for it, the cluster. The only file that names an adapter.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Cluster } from './cluster/cluster.ts'
import { Disposer } from './dispose.ts'
import { up, type UpOptions } from './operations/up.ts'
import { isLabError, LabError, messageOf } from './errors.ts'
import type { DockerRuntime } from './runtime/docker/docker.ts'
import type { Lock, LockOptions } from './runtime/lock.ts'
import { isFree, randomPort } from './runtime/ports.ts'
import type { Runtime } from './runtime/runtime.ts'
import {
  forgetTemporary,
  noteTemporary,
  readTemporaryNotes,
  temporaryStateFolder,
  whenThisProcessDies,
  type TemporaryNote,
} from './runtime/temporary.ts'
import type { Variables } from './topology/interpolation.ts'
import { portVariable } from './topology/members.ts'
import { readTopology } from './topology/read.ts'
import type { Topology } from './topology/topology.ts'

export interface LabOptions {
  /** @default LAB_COMPOSE_FILE, else the docker-compose.yml that comes with the lab */
  readonly file?: string | undefined
  /** Wins over the `.env` beside the compose file. @default process.env */
  readonly environment?: Variables | undefined
  /** @default LAB_RUNTIME, else Docker if an engine answers and can run the image, else local */
  readonly runtime?: Runtime['name'] | undefined
  /** Whether a missing image may be pulled to find out if Docker can be used. @default false */
  readonly mayPull?: boolean | undefined
  /** Lets nobody else change the cluster until the lab is disposed of. Leave it out only to look. @default no lock */
  readonly lock?: Pick<LockOptions, 'command' | 'wait'> | undefined
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((step: string) => void) | undefined
}

/** A cluster and how it came to its runtime. Disposing of it leaves the servers as they are. */
export interface Lab extends AsyncDisposable {
  readonly cluster: Cluster
  readonly topology: Topology
  readonly runtime: Runtime
  /** Undefined when none was asked for. */
  readonly lock: Lock | undefined
  /** Which runtime and why, in one line. */
  readonly choice: string
}

/**
 * Reads the compose file and chooses a runtime. Starts nothing.
 * @throws LabError those of the compose file; NO_RUNTIME; IMAGE_UNAVAILABLE where Docker was asked for; USAGE
 * @example
 * ```ts
 * await using lab = await openLab() // the cluster of this folder, which `pnpm run up` has brought up
 * for (const { name, role } of await lab.cluster.status()) console.log(name, role)
 * ```
 */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const environment = options.environment ?? process.env
  const topology = await readTopology({
    file: options.file ?? (environment['LAB_COMPOSE_FILE'] || packagedComposeFile()),
    environment,
  })
  const { runtime, why } = await chooseRuntime(topology, options)
  const { signal, onProgress } = options
  const lock = options.lock === undefined ? undefined : await runtime.lock({ ...options.lock, signal, onProgress })
  const cluster = new Cluster(runtime)
  return {
    ...{ cluster, runtime, lock },
    get topology() {
      return cluster.topology
    },
    choice: `${runtime.name === 'docker' ? 'Docker' : 'Local processes'}, with ${runtime.description}: ${why}`,
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]()
      await runtime[Symbol.asyncDispose]()
      await lock?.[Symbol.asyncDispose]()
    },
  }
}

/** Beside package.json, which is one folder up from src/ and two from dist/src/. */
function packagedComposeFile(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); folder !== dirname(folder); folder = dirname(folder)) {
    const file = join(folder, 'docker-compose.yml')
    if (existsSync(file)) return file
  }
  throw new LabError('COMPOSE_FILE_MISSING', 'there is no docker-compose.yml beside the lab', {
    hint: 'Name one with --file.',
  })
}

/** An adapter is loaded when it is asked for. */
const createDockerRuntime = async (topology: Topology): Promise<DockerRuntime> =>
  (await import('./runtime/docker/docker.ts')).createDockerRuntime(topology)
const createLocalRuntime = async (topology: Topology): Promise<Runtime> =>
  (await import('./runtime/local/local.ts')).createLocalRuntime(topology)

interface Choice {
  readonly runtime: Runtime
  readonly why: string
}

async function chooseRuntime(topology: Topology, options: LabOptions): Promise<Choice> {
  const named = options.runtime ?? topology.variables['LAB_RUNTIME']
  switch (named) {
    case 'docker':
      return { runtime: await createDockerRuntime(topology), why: 'asked for' }
    case 'local':
      return { runtime: await createLocalRuntime(topology), why: 'asked for' }
    case undefined:
    case '':
      return await chooseByWhatIsHere(topology, options)
    default:
      throw new LabError('USAGE', `LAB_RUNTIME is "${named}"`, {
        hint: 'It is docker or local; without it the lab chooses.',
      })
  }
}

/** A cluster that is there already decides; then Docker, if it can run the image; then this machine's PostgreSQL. */
async function chooseByWhatIsHere(topology: Topology, options: LabOptions): Promise<Choice> {
  const local = await createLocalRuntime(topology).catch(unlessUnreadable)
  if (!(local instanceof LabError) && (await local.hasCluster())) return { runtime: local, why: 'the cluster is there' }
  const docker = await usableDocker(topology, options)
  if (!(docker instanceof LabError)) return { runtime: docker, why: 'a Docker Engine answers' }
  if (!(local instanceof LabError)) return { runtime: local, why: docker.message }
  throw new LabError('NO_RUNTIME', `${docker.message}, and ${local.message}`, {
    hint: 'Start Docker, or install PostgreSQL 15 or later (Debian: apt-get install postgresql), or run pnpm install with its optional packages.',
    cause: docker,
  })
}

async function usableDocker(
  topology: Topology,
  { mayPull = false, signal, onProgress }: LabOptions,
): Promise<Runtime | LabError> {
  try {
    const docker = await createDockerRuntime(topology)
    if (!(await docker.hasCluster())) await docker.requireImages({ signal, onProgress, mayPull })
    return docker
  } catch (error) {
    if (isLabError(error, 'INTERRUPTED')) throw error
    return unlessUnreadable(error)
  }
}

/** There may be a cluster, and what the lab knows of it cannot be read: another runtime is no answer to that. */
function unlessUnreadable(error: unknown): LabError {
  if (isLabError(error, 'STATE_INVALID')) throw error
  return asLabError(error)
}

function asLabError(error: unknown): LabError {
  return error instanceof LabError ? error : new LabError('NO_RUNTIME', messageOf(error), { cause: error })
}

export interface TemporaryClusterOptions extends Pick<LabOptions, 'file' | 'environment' | 'runtime'> {
  /** Limit until every node streams, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Its project, containers and folders are named so, and a random suffix. @default 'temporary' */
  readonly name?: string | undefined
  /**
   * Copy the data of a cluster that was made before, of the same servers, settings, names and credentials, and keep the
   * first one's for that: below LAB_STATE_DIR, some 100 MB for each kind. Copies have one system identifier, so by that
   * PostgreSQL cannot tell their servers apart. Without effect on Docker.
   * @default false
   */
  readonly fromTemplate?: boolean | undefined
}

/**
 * A cluster of its own for a test: free ports, its own names, and gone without a trace when it is disposed of.
 * @example
 * ```ts
 * await using cluster = await startTemporaryCluster({ timeoutMs: 60_000 })
 * ```
 */
export async function startTemporaryCluster(options: TemporaryClusterOptions): Promise<Cluster> {
  const { name = 'temporary' } = options
  const project = `${name}-${randomBytes(4).toString('hex')}`
  const base = options.environment ?? process.env
  const described = await readTopology({ file: options.file ?? packagedComposeFile(), environment: base })
  const ports = await freePorts(described.nodes.length)
  const environment = {
    ...base,
    COMPOSE_PROJECT_NAME: project,
    CONTAINER_PREFIX: project,
    LAB_STATE_DIR: temporaryStateFolder(base),
    ...Object.fromEntries(described.nodes.map((node, at) => [portVariable(node.name), String(ports[at])])),
  }
  await removeAbandoned({ environment, signal: options.signal })
  const cluster = await TemporaryCluster.open({ ...options, environment, mayPull: true })
  try {
    await (options.fromTemplate === true ? upFromTemplate : up)(cluster, options)
  } catch (error) {
    await cluster[Symbol.asyncDispose]()
    throw error
  }
  return cluster
}

/** As {@link up}, of a cluster without any data: it is a copy of a template, or becomes one. */
export async function upFromTemplate(cluster: Cluster, options: UpOptions): Promise<void> {
  const { runtime } = cluster
  const { template } = runtime
  const isCopy = await template?.copy()
  await up(cluster, options)
  if (template === undefined || isCopy === true) return
  await runtime.down({ keepData: true, signal: options.signal })
  await template.save()
  await up(cluster, options)
}

class TemporaryCluster extends Cluster {
  readonly #resources = new Disposer()

  /** Nothing of it outlives this process: what finds it again is there before the cluster is. */
  static async open(options: LabOptions): Promise<TemporaryCluster> {
    const lab = await openLab({ ...options, lock: { command: 'startTemporaryCluster' } })
    const { topology, runtime } = lab
    const cluster = new TemporaryCluster(runtime)
    const resources = cluster.#resources
    resources.use(lab)
    try {
      resources.use(await noteTemporary(temporaryStateFolder(topology.variables), noteOf(topology, runtime)))
    } catch (error) {
      await resources[Symbol.asyncDispose]()
      throw error
    }
    const reaper = whenThisProcessDies(downTemporary(), topology.variables)
    resources.defer(() => reaper[Symbol.dispose]())
    return cluster
  }

  /** Should it fail to be removed, it is found again. */
  override async [Symbol.asyncDispose](): Promise<void> {
    await super[Symbol.asyncDispose]()
    await this.runtime.down({ keepData: false })
    await this.#resources[Symbol.asyncDispose]()
  }
}

/** What is not standard for the cluster, as far as it is needed to end it. */
function noteOf({ project, file, variables, nodes }: Topology, runtime: Runtime): TemporaryNote {
  const names = [
    ...['COMPOSE_PROJECT_NAME', 'CONTAINER_PREFIX', 'POSTGRES_IMAGE', 'DOCKER_HOST', 'DOCKER_CONTEXT'],
    ...['LAB_STATE_DIR', 'LAB_PG_BIN', 'LAB_RUN_AS', ...nodes.map(({ name }) => portVariable(name))],
  ]
  const environment = Object.fromEntries(names.map(name => [name, variables[name]]))
  return { project, runtime: runtime.name, file, environment }
}

/** The command that removes what dead owners have left, in a process of its own. */
function downTemporary(): [string, ...string[]] {
  const isSource = import.meta.url.endsWith('.ts')
  const loader = isSource ? ['--import', pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href] : []
  const main = new URL(isSource ? './cli/main.ts' : './cli/main.js', import.meta.url)
  return [process.execPath, ...loader, fileURLToPath(main), 'down', '--temporary']
}

/** What became of the temporary clusters whose owners have ended without removing them. */
export interface Abandoned {
  readonly removed: readonly string[]
  readonly failed: readonly { readonly project: string; readonly error: unknown }[]
}

/** Removes the temporary clusters whose owners are dead: those that nobody holds. */
export async function removeAbandoned({
  environment = process.env,
  signal,
}: Pick<LabOptions, 'environment' | 'signal'> = {}): Promise<Abandoned> {
  const folder = temporaryStateFolder(environment)
  const removed: string[] = []
  const failed: { project: string; error: unknown }[] = []
  for (const note of await readTemporaryNotes(folder)) {
    try {
      await removeNoted(note, { environment: { ...environment, ...note.environment }, signal })
      await forgetTemporary(folder, note)
      removed.push(note.project)
    } catch (error) {
      if (isLabError(error, 'INTERRUPTED')) throw error
      if (!isLabError(error, 'LOCKED')) failed.push({ project: note.project, error })
    }
  }
  return { removed, failed }
}

async function removeNoted(note: TemporaryNote, options: LabOptions): Promise<void> {
  const file = existsSync(note.file) ? note.file : packagedComposeFile()
  const lock = { command: 'down --temporary' }
  await using lab = await openLab({ ...options, file, runtime: note.runtime, lock })
  await lab.runtime.down({ keepData: false, signal: options.signal })
}

/** Ports that nobody listens on now. */
export async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) {
    const port = randomPort()
    if (await isFree({ host: '127.0.0.1', port })) ports.add(port)
  }
  return [...ports]
}
