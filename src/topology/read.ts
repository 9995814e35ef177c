/**
 * docker-compose.yml → Topology: the cluster as the one file describes it, checked for what the lab can run.
 */
import { readFile } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { parseDocument } from 'yaml'
import { codeOf, LabError, messageOf } from '../errors.ts'
import { composeSchema, type ComposeFile, type ComposeService } from './compose.ts'
import { parseDotEnv } from './dot-env.ts'
import { interpolate, type Variables } from './interpolation.ts'
import { isSlotName, membersDocument } from './members.ts'
import type { Member, NodeSpec, Topology } from './topology.ts'

export interface TopologyOptions {
  readonly file: string
  /** Wins over the `.env` beside the file. */
  readonly environment: Variables
}

/**
 * Reads the compose file and the `.env` beside it.
 * @throws LabError COMPOSE_FILE_MISSING, COMPOSE_FILE_INVALID, NO_PRIMARY_SERVICE, UNKNOWN_VARIABLE
 */
export async function readTopology({ file, environment }: TopologyOptions): Promise<Topology> {
  const path = resolve(file)
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new LabError('COMPOSE_FILE_MISSING', `cannot read ${path}: ${messageOf(error)}`, {
      hint: 'Run the command in the folder of docker-compose.yml, or name the file with --file or LAB_COMPOSE_FILE.',
      cause: error,
    })
  })
  const dotEnv = await readFile(resolve(dirname(path), '.env'), 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw new LabError('COMPOSE_FILE_INVALID', `cannot read the .env beside ${path}: ${messageOf(error)}`, {
      hint: 'Make it readable, or remove it.',
      cause: error,
    })
  })
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined))
  return parseTopology(text, { file: path, variables: { ...parseDotEnv(dotEnv, set), ...set } })
}

/** The pure part of {@link readTopology}. */
export function parseTopology(
  text: string,
  {
    file,
    variables,
    members = NO_MEMBERS,
  }: { readonly file: string; readonly variables: Variables; readonly members?: readonly Member[] },
): Topology {
  const plain = plainValue(text, file)
  const compose = composeSchema(interpolateAll(plain, variables), file)
  const described = nodesOf(compose, file)
  const more = members.length === 0 ? undefined : membersDocument(plain, described, members)
  const nodes = [...described, ...nodesOf(composeSchema(interpolateAll(more ?? NONE, variables), file), file)]
  const [first, ...others] = nodes.filter(({ firstStart }) => firstStart === 'initdb')
  if (first === undefined || others.length > 0) {
    const found =
      first === undefined ? 'no service' : `more than one service (${[first, ...others].map(n => n.name).join(', ')})`
    throw new LabError('NO_PRIMARY_SERVICE', `${file} has ${found} that starts as the primary`, {
      hint: 'Exactly one service needs FIRST_START: initdb in its environment; the others need FIRST_START: clone.',
    })
  }
  refuseShared(nodes, 'port', n => n.client.port)
  refuseShared(nodes, 'volume', n => n.data.volume)
  const value = (name: string): string => required(first.environment, name, first.name)
  return {
    file,
    project: requireProjectName(variables['COMPOSE_PROJECT_NAME'] || (compose.name ?? 'pg-failover-lab')),
    nodes: [first, ...nodes.filter(n => n !== first)],
    database: value('POSTGRES_DB'),
    superuser: { user: value('POSTGRES_USER'), password: value('POSTGRES_PASSWORD') },
    lab: { user: value('LAB_USER'), password: value('LAB_PASSWORD') },
    replication: { user: value('REPLICATION_USER'), password: value('REPLICATION_PASSWORD') },
    ...{ variables, text, members },
    membersFile: more === undefined ? undefined : `${JSON.stringify(more, undefined, 2)}\n`,
  }
}

/** As Compose takes it, on every runtime: https://docs.docker.com/compose/how-tos/project-name/ */
function requireProjectName(name: string): string {
  if (/^[a-z0-9][a-z0-9_-]*$/.test(name)) return name
  throw new LabError('USAGE', `${JSON.stringify(name)} cannot be the name of a Compose project`, {
    hint: 'COMPOSE_PROJECT_NAME has lower-case letters, digits, - and _, and begins with a letter or a digit.',
  })
}

/** The same cluster with these nodes beside those of the file. @throws LabError COMPOSE_FILE_INVALID, UNKNOWN_VARIABLE */
export const withMembers = (topology: Topology, members: readonly Member[]): Topology =>
  members === topology.members ? topology : parseTopology(topology.text, { ...topology, members })

/** The same file, read with these. @throws LabError those of {@link parseTopology} */
export const withVariables = (topology: Topology, variables: Variables): Topology =>
  parseTopology(topology.text, { ...topology, variables })

const NO_MEMBERS: readonly Member[] = []
const NONE = { services: {} }

const nodesOf = ({ services }: ComposeFile, file: string): NodeSpec[] =>
  Object.entries(services)
    .filter(([, service]) => 'NODE_NAME' in service.environment)
    .map(([name, service]) => node(name, service, dirname(file)))

function plainValue(text: string, file: string): unknown {
  try {
    const document = parseDocument(text, { merge: true })
    const [error] = document.errors
    if (error !== undefined) throw error
    return document.toJS() // throws for an alias without an anchor, and for a merge of what is no mapping
  } catch (error) {
    throw new LabError('COMPOSE_FILE_INVALID', `${file} is not valid YAML: ${messageOf(error).split('\n')[0]}`, {
      hint: 'docker compose config shows how Compose reads the file.',
      cause: error,
    })
  }
}

function interpolateAll(value: unknown, variables: Variables): unknown {
  if (typeof value === 'string') return interpolate(value, variables)
  if (Array.isArray(value)) return value.map(item => interpolateAll(item, variables))
  if (typeof value === 'object' && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, interpolateAll(item, variables)]))
  }
  return value
}

function node(name: string, service: ComposeService, folder: string): NodeSpec {
  const environment = service.environment
  const firstStart = required(environment, 'FIRST_START', name)
  if (firstStart !== 'initdb' && firstStart !== 'clone') {
    throw invalid(name, `FIRST_START is "${firstStart}"`, 'It is initdb or clone.')
  }
  if (environment['NODE_NAME'] !== name) {
    throw invalid(name, `NODE_NAME is "${environment['NODE_NAME']}"`, 'It is the name of the service.')
  }
  if (!isSlotName(name)) {
    throw invalid(
      name,
      'its name cannot be the name of a replication slot',
      'Use lower-case letters, digits and underscores.',
    )
  }
  const binds = service.volumes.filter(v => v.source.startsWith('.') || v.source.startsWith('/'))
  return {
    name,
    containerName: service.containerName,
    image: service.image,
    firstStart,
    client: clientAddress(name, service),
    data: dataDirectory(name, service),
    settings: service.command.slice(1),
    environment,
    binds: Object.fromEntries(binds.map(v => [v.target, resolve(folder, v.source)])),
  }
}

/** The published side of `127.0.0.1:5432:5432`. */
function clientAddress(name: string, service: ComposeService): NodeSpec['client'] {
  const published = service.ports.find(port => /:5432(\/tcp)?$/.test(port)) ?? ''
  const [port, host = '127.0.0.1'] = published.split(':').slice(0, -1).reverse()
  if (port === undefined || !/^\d{1,5}$/.test(port) || Number(port) < 1 || Number(port) > 65_535) {
    throw invalid(
      name,
      `it publishes port 5432 as "${published}"`,
      'Write 127.0.0.1:5432:5432, the first number from 1 to 65535.',
    )
  }
  return { host, port: Number(port) }
}

/** PGDATA must be a folder inside a named volume, so that a clone can be renamed into place. */
/** A volume's name, as the engine takes it: locally it is a folder's. */
const VOLUME = /^[a-zA-Z0-9][\w.-]+$/

function dataDirectory(name: string, service: ComposeService): NodeSpec['data'] {
  const pgdata = required(service.environment, 'PGDATA', name)
  const mount = service.volumes.find(({ source, target }) => VOLUME.test(source) && pgdata.startsWith(`${target}/`))
  if (mount === undefined || /(^|\/)\.\.(\/|$)/.test(pgdata)) {
    throw invalid(
      name,
      `PGDATA (${pgdata}) is not a folder inside one of its volumes`,
      'Mount a named volume at its parent.',
    )
  }
  return { volume: mount.source, mountedAt: mount.target, directory: pgdata.slice(mount.target.length + 1) }
}

function refuseShared(nodes: readonly NodeSpec[], what: string, of: (node: NodeSpec) => string | number): void {
  for (const [at, spec] of nodes.entries()) {
    const other = nodes.slice(0, at).find(earlier => of(earlier) === of(spec))
    if (other === undefined) continue
    throw invalid(
      spec.name,
      `it has the ${what} ${of(spec)}, as ${other.name} has`,
      `Give each node a ${what} of its own.`,
    )
  }
}

function required(environment: NodeSpec['environment'], name: string, service: string): string {
  const value = environment[name]
  if (value === undefined || value === '') {
    throw invalid(service, `${name} is missing from its environment`, `Add ${name} to its environment.`)
  }
  return value
}

const invalid = (service: string, fact: string, hint: string): LabError =>
  new LabError('COMPOSE_FILE_INVALID', `the lab cannot run service ${service}: ${fact}`, { hint })
