/**
 * Composition: the compose file, a runtime for it, the cluster. The only file that names an adapter.
 */
import { join } from 'node:path'
import { Cluster } from './cluster/cluster.ts'
import { isLabError, LabError, messageOf } from './errors.ts'
import { packageFolder } from './package-folder.ts'
import type { DockerRuntime } from './runtime/docker/docker.ts'
import type { Lock, LockOptions } from './runtime/lock.ts'
import type { Runtime } from './runtime/runtime.ts'
import type { Variables } from './topology/compose/interpolation.ts'
import { readSource, type ComposeSource, type SourceOptions } from './topology/compose/source.ts'
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
  /** With a lock: whether a cluster that another program manages is refused, or may be changed all the same. @default 'refused' */
  readonly managed?: 'refused' | 'allowed' | undefined
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
 * @throws LabError those of the compose file; NO_RUNTIME; IMAGE_UNAVAILABLE where Docker was asked for; LOCKED, MANAGED; USAGE
 * @example
 * ```ts
 * await using lab = await openLab() // the cluster of this folder, which `pnpm run up` has brought up
 * for (const { name, role } of await lab.cluster.status()) console.log(name, role)
 * ```
 */
export async function openLab(options: LabOptions = {}): Promise<Lab> {
  const source = await readSource(sourceOptions(options))
  const { runtime, why } = await chooseRuntime(source, options)
  const { signal, onProgress } = options
  const lock = options.lock === undefined ? undefined : await runtime.lock({ ...options.lock, signal, onProgress })
  if (lock !== undefined && options.managed !== 'allowed') {
    await refuseManaged(runtime).catch(async (error: unknown) => {
      await lock[Symbol.asyncDispose]()
      throw error
    })
  }
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

/** The lab would promote, fence and rewind beside a program that does the same. @throws LabError MANAGED */
async function refuseManaged(runtime: Runtime): Promise<void> {
  const manager = await runtime.manager()
  if (manager === undefined) return
  const { name, nodes } = manager
  const command = `pnpm run stack`
  throw new LabError('MANAGED', `${name} manages ${nodes.join(', ')}, and the lab changes nothing beside it`, {
    hint: `${command} status ${name} shows who leads, ${command} switchover ${name} changes that, ${command} down ${name} gives the cluster back.`,
  })
}

/** Which file is read, with which variables. */
export function sourceOptions({
  file,
  environment = process.env,
}: Pick<LabOptions, 'file' | 'environment'>): SourceOptions {
  return { file: file ?? (environment['LAB_COMPOSE_FILE'] || packagedComposeFile()), environment }
}

export const packagedComposeFile = (): string => join(packageFolder(), 'docker-compose.yml')

/** The reader of compose files, and each adapter, is loaded when it is asked for: importing the library is quick. */
export const topologyOf = async (source: ComposeSource): Promise<Topology> =>
  (await import('./topology/read.ts')).topologyOf(source)
const createDockerRuntime = async (source: ComposeSource): Promise<DockerRuntime> =>
  (await import('./runtime/docker/docker.ts')).createDockerRuntime(source)
const createLocalRuntime = async (topology: Topology): Promise<Runtime> =>
  (await import('./runtime/local/local.ts')).createLocalRuntime(topology)

interface Choice {
  readonly runtime: Runtime
  readonly why: string
}

async function chooseRuntime(source: ComposeSource, options: LabOptions): Promise<Choice> {
  const named = options.runtime ?? source.variables['LAB_RUNTIME']
  switch (named) {
    case 'docker':
      return { runtime: await createDockerRuntime(source), why: 'asked for' }
    case 'local':
      return { runtime: await createLocalRuntime(await topologyOf(source)), why: 'asked for' }
    case undefined:
    case '':
      return await chooseByWhatIsHere(source, options)
    default:
      throw new LabError('USAGE', `LAB_RUNTIME is "${named}"`, {
        hint: 'It is docker or local; without it the lab chooses.',
      })
  }
}

/** A cluster that is there already decides; then Docker, if it can run the image; then this machine's PostgreSQL. */
async function chooseByWhatIsHere(source: ComposeSource, options: LabOptions): Promise<Choice> {
  const described = await topologyOf(source).catch(asLabError)
  const local = described instanceof LabError ? described : await createLocalRuntime(described).catch(unlessUnreadable)
  if (!(local instanceof LabError) && (await local.hasCluster())) return { runtime: local, why: 'the cluster is there' }
  const docker = await usableDocker(source, options)
  if (!(docker instanceof LabError)) return { runtime: docker, why: 'a Docker Engine answers' }
  if (isAboutTheFile(docker)) throw docker
  if (!(local instanceof LabError)) return { runtime: local, why: docker.message }
  if (described instanceof LabError) throw described
  throw new LabError('NO_RUNTIME', `${docker.message}, and ${local.message}`, {
    hint: 'Start Docker, or install PostgreSQL 15 or later (Debian: apt-get install postgresql), or run pnpm install with its optional packages.',
    cause: docker,
  })
}

async function usableDocker(
  source: ComposeSource,
  { mayPull = false, signal, onProgress }: LabOptions,
): Promise<Runtime | LabError> {
  try {
    const docker = await createDockerRuntime(source)
    if (!(await docker.hasCluster())) await docker.requireImages({ signal, onProgress, mayPull })
    return docker
  } catch (error) {
    if (isLabError(error, 'INTERRUPTED')) throw error
    return unlessUnreadable(error)
  }
}

/** What Compose, or the lab after it, says of the file: no other runtime helps then. */
const isAboutTheFile = ({ code }: LabError): boolean => code === 'COMPOSE_FILE_INVALID' || code === 'NO_PRIMARY_SERVICE'

/** There may be a cluster, and what the lab knows of it cannot be read: another runtime is no answer to that. */
function unlessUnreadable(error: unknown): LabError {
  if (isLabError(error, 'STATE_INVALID')) throw error
  return asLabError(error)
}

function asLabError(error: unknown): LabError {
  return error instanceof LabError ? error : new LabError('NO_RUNTIME', messageOf(error), { cause: error })
}
