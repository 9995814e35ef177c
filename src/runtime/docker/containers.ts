/**
 * The containers of a Compose project, found by Compose's own labels, and what is done to them through the engine.
 */
import { basename, dirname } from 'node:path/posix'
import { PassThrough, Readable } from 'node:stream'
import { buffer, text } from 'node:stream/consumers'
import type Docker from 'dockerode'
import { packTar, unpackTar } from 'modern-tar'
import { LabError, throwIfInterrupted } from '../../errors.ts'
import { together } from '../../together.ts'
import {
  askAgain,
  type CommandResult,
  type ForegroundCommand,
  type ForegroundOptions,
  type NodeState,
  type OfflineOptions,
  type StopOptions,
} from '../runtime.ts'
import { dockerError, statusCode, within, type Engine, type WithinOptions } from './engine.ts'

/** What a program beside a service's container has of it. */
interface Beside {
  readonly id: string
  readonly image: string
  readonly env: readonly string[]
  readonly labels: Readonly<Record<string, string>>
  readonly network: string
}

export const PROJECT = 'com.docker.compose.project'
export const SERVICE = 'com.docker.compose.service'
export const ONE_OFF = 'com.docker.compose.oneoff'
const NETWORK = 'com.docker.compose.network'
const VOLUME = 'com.docker.compose.volume'

export class Containers {
  readonly #engine: Docker
  readonly #patient: Docker
  readonly #project: string

  constructor({ prompt, patient }: Engine, project: string) {
    this.#engine = prompt
    this.#patient = patient
    this.#project = project
  }

  /** The service's container, if Compose has made one. */
  async find(service: string): Promise<Docker.Container | undefined> {
    const label = [`${PROJECT}=${this.#project}`, `${SERVICE}=${service}`, `${ONE_OFF}=False`]
    const [found] = await this.#engine.listContainers({ all: true, filters: { label } })
    return found === undefined ? undefined : this.#engine.getContainer(found.Id)
  }

  /** @throws LabError NOT_RUNNING when Compose has made none. */
  async get(service: string): Promise<Docker.Container> {
    const container = await this.find(service)
    if (container !== undefined) return container
    throw new LabError('NOT_RUNNING', `there is no container for ${service}`, {
      hint: 'Bring the cluster up with pnpm run up.',
    })
  }

  /** One of the project's networks. @throws LabError NOT_RUNNING */
  async network(name: string): Promise<Docker.NetworkInspectInfo> {
    const label = [`${PROJECT}=${this.#project}`, `${NETWORK}=${name}`]
    const [found] = await this.#engine.listNetworks({ filters: { label } })
    if (found !== undefined) return found
    throw new LabError('NOT_RUNNING', `there is no network "${name}"`, {
      hint: 'Bring the cluster up with pnpm run up.',
    })
  }

  async hasAny(): Promise<boolean> {
    return (
      (await this.#engine.listContainers({ all: true, filters: { label: [`${PROJECT}=${this.#project}`] } })).length > 0
    )
  }

  /**
   * Removes what was interrupted; named volumes stay. Containers that were made and never started: a Compose that ends
   * between making one and connecting it to its second network leaves it so, and would start it without that network.
   * And those that ran beside a node for a lab that was killed.
   */
  async removeInterrupted(): Promise<void> {
    const left = async (label: string, status: string[]): Promise<Docker.ContainerInfo[]> => {
      const filters = { label: [`${PROJECT}=${this.#project}`, label], status }
      return await this.#engine.listContainers({ all: true, filters })
    }
    const all = [
      ...(await left(`${ONE_OFF}=False`, ['created'])),
      ...(await left(`${ONE_OFF}=True`, ['created', 'exited', 'dead'])),
    ]
    await together(all, ({ Id }) => this.#engine.getContainer(Id).remove({ v: true }))
  }

  async state(service: string): Promise<NodeState> {
    const container = await this.find(service)
    if (container === undefined) return 'absent'
    const found = await container.inspect().catch((error: unknown) => {
      if (statusCode(error) === 404) return undefined // removed since it was found
      throw dockerError(`cannot look at ${service}`, error)
    })
    if (found === undefined) return 'absent'
    const { State } = found
    if (State.Paused) return 'frozen'
    return State.Running ? 'running' : 'stopped'
  }

  /** Which container publishes a port of this machine. */
  async publisher(port: number): Promise<string | undefined> {
    const all = await this.#engine.listContainers()
    const found = all.find(({ Ports }) => Ports.some(({ PublicPort }) => PublicPort === port))
    return found === undefined ? undefined : `the container ${found.Names[0]?.slice(1) ?? found.Id}`
  }

  /**
   * Puts an empty file into a container, which need not run: the engine mounts its volumes for the copy.
   * The servers' user need not own it: PostgreSQL looks only whether a signal file is there.
   */
  async touch(service: string, folder: string, name: string): Promise<void> {
    await this.write(service, `${folder}/${name}`, '')
  }

  /** The same with a text in it, which everybody in the container may read. */
  async write(service: string, path: string, content: string): Promise<void> {
    const header = { name: basename(path), size: Buffer.byteLength(content), mode: 0o644 }
    const archive = await packTar([{ header, body: content }])
    await (await this.get(service)).putArchive(Buffer.from(archive), { path: dirname(path) })
  }

  /** Removes a service's container and its volume, whatever is there of them. */
  async remove(service: string, volume: string): Promise<void> {
    await (await this.find(service))?.remove({ force: true, v: true })
    const label = [`${PROJECT}=${this.#project}`, `${VOLUME}=${volume}`]
    const { Volumes } = await this.#engine.listVolumes({ filters: { label } })
    for (const { Name } of Volumes) await this.#engine.getVolume(Name).remove()
  }

  /** The services that have a container, in whatever state, and the volumes. */
  async traces(): Promise<{ readonly servers: string[]; readonly files: string[] }> {
    const filters = { label: [`${PROJECT}=${this.#project}`] }
    const containers = await this.#engine.listContainers({ all: true, filters })
    const { Volumes } = await this.#engine.listVolumes({ filters })
    return {
      servers: containers.map(({ Labels }) => Labels[SERVICE] ?? '').sort(),
      files: Volumes.map(({ Labels }) => Labels[VOLUME] ?? '').sort(),
    }
  }

  /** A file of a container, running or not; undefined when there is none. */
  async read(service: string, path: string): Promise<Buffer | undefined> {
    const container = await this.get(service)
    const archive = await container.getArchive({ path }).catch((error: unknown) => {
      if (statusCode(error) === 404) return undefined
      throw dockerError(`cannot read ${path} of ${service}`, error)
    })
    if (archive === undefined) return undefined
    const [file] = await unpackTar(await buffer(archive))
    return file?.data === undefined ? undefined : Buffer.from(file.data)
  }

  /** One cannot exec in a container that is not running (409), so this runs another on the same volumes and networks. */
  async runBeside(
    service: string,
    argv: readonly string[],
    {
      environment,
      ...options
    }: OfflineOptions & { readonly environment: readonly string[]; readonly timeoutMs: number },
  ): Promise<CommandResult> {
    const { id, image, env, labels, network } = await this.#beside(service, environment)
    throwIfInterrupted(options.signal)
    const container = await this.#engine.createContainer({
      ...{ Image: image, User: 'postgres', Env: [...env], Entrypoint: [...argv], Cmd: [], Labels: labels },
      HostConfig: { VolumesFrom: [id], NetworkMode: network },
    })
    try {
      await container.start()
      const exitCode = await this.#wait(container, { what: `${argv[0]} beside ${service} to end`, ...options })
      return { exitCode, ...(await this.output(container, { lines: 1000 })) }
    } finally {
      // Interrupted or out of time, it still runs: it has ended when it is removed.
      await container.remove({ force: true, v: true })
    }
  }

  /** The same for the foreground, by Docker's own client. Values of the environment, passwords among them, stay out of its words. */
  async commandBeside(
    service: string,
    [program, ...args]: readonly [string, ...string[]],
    { environment, terminal }: ForegroundOptions & { readonly environment: readonly string[] },
  ): Promise<ForegroundCommand> {
    const { id, image, env, labels, network } = await this.#beside(service, environment)
    const variables = Object.fromEntries(env.map(line => [line.split('=')[0] ?? '', line.slice(line.indexOf('=') + 1)]))
    const flags = [
      ...['--rm', terminal ? '-it' : '-i', '--user', 'postgres', '--volumes-from', id, '--network', network],
      ...Object.keys(variables).flatMap(name => ['--env', name === 'PATH' ? `PATH=${variables['PATH']}` : name]),
      ...Object.entries(labels).flatMap(([name, value]) => ['--label', `${name}=${value}`]),
    ]
    const { PATH: _, ...secret } = variables // the client's own PATH must stay what it is
    return { argv: ['docker', 'run', ...flags, '--entrypoint', program, image, ...args], environment: secret }
  }

  async #beside(service: string, environment: readonly string[]): Promise<Beside> {
    const { Id: id, Image: image, Config } = await (await this.get(service)).inspect()
    const labels = { [PROJECT]: this.#project, [SERVICE]: `${service}-offline`, [ONE_OFF]: 'True' }
    const network = (await this.network('replication')).Name
    return { id, image, env: [...Config.Env, ...environment], labels, network }
  }

  /** Waits until a container does not run, and returns its exit code. */
  async #wait({ id }: Docker.Container, options: WithinOptions): Promise<number> {
    const container = this.#patient.getContainer(id)
    const { StatusCode } = (await within(options, abortSignal =>
      container.wait({ condition: 'not-running', abortSignal }),
    )) as { StatusCode: number }
    return StatusCode
  }

  /**
   * Asks a service's server to end, and waits for it. Not `docker stop`: that kills after the time without a word, and an
   * engine before 23 sends its own signal whatever is asked for.
   * @throws LabError TIMEOUT when it still runs; NODE_FAILED when it was killed meanwhile; INTERRUPTED, DOCKER_FAILED
   */
  async stop(
    service: string,
    { signalName, ...limits }: StopOptions & { readonly signalName: string; readonly timeoutMs: number },
  ): Promise<void> {
    const container = await this.#signal(service, signalName)
    if (container === undefined) return
    await using _ = askAgain(() => container.kill({ signal: signalName }))
    const exitCode = await this.#wait(container, { what: `${service} to stop`, ...limits })
    if (exitCode !== KILLED_EXIT_CODE) return
    throw new LabError('NODE_FAILED', `${service} did not shut down: it was killed meanwhile`, {
      hint: 'It recovers at its next start, as after a crash. docker inspect shows whether memory was short (OOMKilled).',
    })
  }

  /** SIGKILL, if it runs; returns when it does not. */
  async kill(service: string): Promise<void> {
    const container = await this.#signal(service, 'SIGKILL')
    if (container === undefined) return
    await this.#wait(container, { what: `${service} to be gone`, timeoutMs: KILL_TIMEOUT_MS })
  }

  /** Sends a signal to a service's container, and returns it; undefined when it does not run. */
  async #signal(service: string, signal: string): Promise<Docker.Container | undefined> {
    const container = await this.get(service)
    if (!(await container.inspect()).State.Running) return undefined
    await container.kill({ signal }).catch((error: unknown) => {
      // It has ended since it was looked at.
      if (statusCode(error) !== 409) throw dockerError(`cannot send ${signal} to ${service}`, error)
    })
    return container
  }

  /** The last lines that a container has written. */
  async output(
    container: Docker.Container,
    { lines }: { readonly lines: number },
  ): Promise<{ stdout: string; stderr: string }> {
    const streams = { stdout: new PassThrough(), stderr: new PassThrough() }
    // Not follow with until: on a container that writes nothing more, that answer never ends.
    const raw = Readable.from(await container.logs({ stdout: true, stderr: true, tail: lines, follow: false }))
    this.#engine.modem.demuxStream(raw, streams.stdout, streams.stderr)
    raw.on('end', () => Object.values(streams).forEach(stream => stream.end()))
    const [stdout, stderr] = await Promise.all([text(streams.stdout), text(streams.stderr)])
    return { stdout, stderr }
  }

  /** Writes what a container writes, until the signal fires or it ends. */
  async follow(
    { id }: Docker.Container,
    write: (chunk: string) => void,
    options: { signal: AbortSignal; lines: number },
  ): Promise<void> {
    const sink = new PassThrough({ encoding: 'utf8' })
    sink.on('data', write)
    const what = { stdout: true, stderr: true, tail: options.lines, follow: true, abortSignal: options.signal } as const
    const asked = this.#patient.getContainer(id).logs(what)
    const raw = await asked.catch((error: unknown) => {
      if (!options.signal.aborted) throw error
      return undefined // it ends before it has begun
    })
    if (raw === undefined) return
    this.#engine.modem.demuxStream(raw, sink, sink)
    await new Promise<void>(resolve => {
      raw
        .once('end', resolve)
        .once('close', resolve)
        .on('error', () => resolve())
      options.signal.addEventListener('abort', () => resolve(), { once: true })
    })
  }
}

/** What a signal that cannot be ignored takes at most to end everything, on a busy machine. */
const KILL_TIMEOUT_MS = 30_000

/** As shells count it: 128 and SIGKILL. */
const KILLED_EXIT_CODE = 137

/** Runs an engine call; 304 says that it is so already. @throws LabError DOCKER_FAILED */
export async function tolerateDone(fact: string, call: Promise<unknown>): Promise<void> {
  await call.catch((error: unknown) => {
    if (statusCode(error) !== 304) throw dockerError(fact, error)
  })
}
