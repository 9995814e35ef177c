/**
 * Clusters that end with the process that asked for them.
 */
import { randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { Cluster } from './cluster/cluster.ts'
import { Disposer } from './dispose.ts'
import { isLabError } from './errors.ts'
import { openLab, packagedComposeFile, sourceOptions, topologyOf, type LabOptions } from './lab.ts'
import { up, type UpOptions } from './operations/up.ts'
import { isFree, randomPort } from './runtime/ports.ts'
import type { Runtime } from './runtime/runtime.ts'
import {
  forgetTemporary,
  keepCompose,
  noteTemporary,
  readTemporaryNotes,
  removeLeftCompose,
  temporaryStateFolder,
  whenThisProcessDies,
  type TemporaryNote,
} from './runtime/temporary.ts'
import { cacheFolder, removeUnfinished } from './runtime/template-cache.ts'
import { readSource } from './topology/compose/source.ts'
import type { Variables } from './topology/compose/interpolation.ts'
import { portVariable } from './topology/members.ts'
import type { Topology } from './topology/topology.ts'

export interface TemporaryClusterOptions extends Pick<LabOptions, 'file' | 'environment' | 'runtime'> {
  /** Instead of a file: the text of a compose file, which is there for as long as the cluster. Paths in it are absolute. */
  readonly compose?: string | undefined
  /** Limit until every node streams, in milliseconds. */
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
  /** Its project, containers and folders are named so, and a random suffix. @default 'temporary' */
  readonly name?: string | undefined
  /**
   * Copy the data of a cluster that was made before, of the same servers, settings, names and credentials, and keep the
   * first one's for that: in the user's cache, some 100 MB for each kind. Copies have one system identifier, so by that
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
  const { name = 'temporary', compose, signal } = options
  const project = `${name}-${randomBytes(4).toString('hex')}`
  const environment = options.environment ?? process.env
  const folder = temporaryStateFolder(environment)
  const own = { ...environment, LAB_STATE_DIR: folder, LAB_CACHE_DIR: cacheFolder(environment) }
  const resources = new Disposer()
  try {
    // Before anything is there that could be left.
    const reaper = whenThisProcessDies(downTemporary(), own)
    resources.defer(() => reaper[Symbol.dispose]())
    const kept =
      compose === undefined ? undefined : resources.use(await keepCompose(folder, { project, text: compose }))
    const file = kept?.file ?? options.file
    const nodes = await nodesIn({ ...options, file, environment })
    const ports = await freePorts(nodes.length)
    const names = { COMPOSE_PROJECT_NAME: project, CONTAINER_PREFIX: project }
    const named = Object.fromEntries(nodes.map((node, at) => [portVariable(node.name), String(ports[at])]))
    await removeAbandoned({ environment: own, signal })
    const lab = { ...options, file, environment: { ...own, ...names, ...named }, mayPull: true }
    const cluster = await TemporaryCluster.open(lab, resources)
    await (options.fromTemplate === true ? upFromTemplate : up)(cluster, options)
    cluster.leavesData = options.fromTemplate === true
    return cluster
  } catch (error) {
    await resources[Symbol.asyncDispose]()
    throw error
  }
}

/** Read by Compose where the lab cannot read the file itself. */
async function nodesIn(
  options: TemporaryClusterOptions & { readonly environment: Variables },
): Promise<Topology['nodes']> {
  const source = await readSource(sourceOptions(options))
  try {
    return (await topologyOf(source)).nodes
  } catch (error) {
    if (!isLabError(error, 'COMPOSE_FILE_INVALID')) throw error
    await using lab = await openLab({ ...options, mayPull: true })
    return lab.topology.nodes
  }
}

/**
 * Makes the cluster again what it was when it had come up: its data, histories and nodes. Copied from its template where
 * there is one; else everything is made anew.
 */
export async function startAgain(cluster: Cluster, options: UpOptions): Promise<void> {
  const { runtime } = cluster
  await crashAll(cluster)
  if ((await runtime.template?.restore()) !== true) await runtime.down({ keepData: false, signal: options.signal })
  await up(cluster, options)
}

async function crashAll({ nodes, runtime }: Cluster): Promise<void> {
  for (const { name } of nodes) {
    const state = await runtime.state(name)
    if (state === 'running' || state === 'frozen') await runtime.crash(name)
  }
}

/** A node may have lost its data to whatever a test has done: then nothing is left. */
async function leaveData(cluster: Cluster): Promise<void> {
  await crashAll(cluster)
  await cluster.runtime.template?.leave().catch(() => undefined)
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
  #resources = new Disposer()
  /** Whether the next cluster like this one may have its data. */
  leavesData = false

  /** Nothing of it outlives this process: what finds it again is there before the cluster is. All of it goes with the resources. */
  static async open(options: LabOptions, resources: Disposer): Promise<TemporaryCluster> {
    const lab = resources.use(await openLab({ ...options, lock: { command: 'startTemporaryCluster' } }))
    const { topology, runtime } = lab
    const cluster = new TemporaryCluster(runtime)
    cluster.#resources = resources
    const note = await noteTemporary(temporaryStateFolder(topology.variables), noteOf(topology, runtime))
    resources.defer(async () => {
      if (cluster.leavesData) await leaveData(cluster)
      await runtime.down({ keepData: false })
      await note[Symbol.asyncDispose]() // should it fail to be removed, it is found again
    })
    resources.defer(() => cluster.#closeSessions())
    return cluster
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    await this.#resources[Symbol.asyncDispose]()
  }

  async #closeSessions(): Promise<void> {
    await super[Symbol.asyncDispose]()
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
  await removeLeftCompose(folder)
  await removeUnfinished(cacheFolder(environment))
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
  await using lab = await openLab({ ...options, file, runtime: note.runtime, managed: 'allowed', lock })
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
