/**
 * A compose file's services → Topology: the cluster, checked for what the lab can run.
 */
import { LabError } from '../errors.ts'
import type { Variables } from './compose/interpolation.ts'
import type { ComposeModel, ComposeService } from './compose/model.ts'
import { resolveCompose } from './compose/resolve.ts'
import type { ComposeSource } from './compose/source.ts'
import { faultIn } from './credentials.ts'
import { isSlotName, memberServices, membersDocument } from './members.ts'
import type { Member, NodeSpec, Topology } from './topology.ts'

/**
 * The cluster of a compose file, as Compose answers where it was asked, and else as the lab reads it.
 * @throws LabError COMPOSE_FILE_INVALID, NO_PRIMARY_SERVICE, UNKNOWN_VARIABLE
 */
export function topologyOf(source: ComposeSource, model: ComposeModel = resolveCompose(source)): Topology {
  return describe({ ...source, model, members: NO_MEMBERS })
}

/** The same cluster with these nodes beside those of the file. @throws LabError COMPOSE_FILE_INVALID */
export const withMembers = (topology: Topology, members: readonly Member[]): Topology =>
  members === topology.members ? topology : describe({ ...topology, members })

/** The same files, read by the lab with these variables too. @throws LabError those of {@link topologyOf} */
export const withVariables = ({ documents, variables, members }: Topology, more: Variables): Topology => {
  const source = { documents, variables: { ...variables, ...more } }
  return describe({ ...source, model: resolveCompose(source), members })
}

/** For files that were written for something else: what is missing in them is nearly all of it. */
const WHAT_A_NODE_NEEDS = [
  'A node is a service whose environment has NODE_NAME (its own name) and FIRST_START (initdb for one, clone for the others),',
  'PGDATA below a named volume, CLUSTER_NODES, PRIMARY_CONNINFO, and user and password of POSTGRES_, REPLICATION_ and LAB_;',
  'it publishes port 5432 and runs replica-entrypoint/. docs/configuration.md has the smallest such file, to copy from.',
].join('\n  ')

const NO_MEMBERS: readonly Member[] = []

function describe({
  documents,
  variables,
  model,
  members,
}: Pick<Topology, 'documents' | 'variables' | 'model' | 'members'>): Topology {
  const [{ file }] = documents
  const described = nodesOf(model.services)
  const more = members.length === 0 ? undefined : memberServices(model, { described, members, variables })
  const nodes = [...described, ...nodesOf(more ?? {})]
  const [first, ...others] = nodes.filter(({ firstStart }) => firstStart === 'initdb')
  if (first === undefined || others.length > 0) {
    const found =
      first === undefined ? 'no service' : `more than one service (${[first, ...others].map(n => n.name).join(', ')})`
    throw new LabError('NO_PRIMARY_SERVICE', `${file} has ${found} that starts as the primary`, {
      hint:
        nodes.length === 0
          ? WHAT_A_NODE_NEEDS
          : 'Exactly one service needs FIRST_START: initdb in its environment; the others need FIRST_START: clone.',
    })
  }
  requireAllNamed(described)
  refuseShared(nodes, 'port', n => n.client.port)
  refuseShared(nodes, 'volume', n => n.data.volume)
  const value = (name: string): string => required(first.environment, name, first.name)
  return {
    ...{ file, documents, variables, model, members },
    project: requireProjectName(model.name),
    nodes: [first, ...nodes.filter(n => n !== first)],
    database: value('POSTGRES_DB'),
    superuser: { user: value('POSTGRES_USER'), password: value('POSTGRES_PASSWORD') },
    lab: { user: value('LAB_USER'), password: value('LAB_PASSWORD') },
    replication: { user: value('REPLICATION_USER'), password: value('REPLICATION_PASSWORD') },
    membersFile: more === undefined ? undefined : membersDocument(more),
  }
}

/** As Compose takes it, on every runtime: https://docs.docker.com/compose/how-tos/project-name/ */
function requireProjectName(name: string): string {
  if (/^[a-z0-9][a-z0-9_-]*$/.test(name)) return name
  throw new LabError('USAGE', `${JSON.stringify(name)} cannot be the name of a Compose project`, {
    hint: 'COMPOSE_PROJECT_NAME has lower-case letters, digits, - and _, and begins with a letter or a digit.',
  })
}

/** The same nodes, the same roles and what can work, on each of them: any of them may be the primary tomorrow. */
function requireAllNamed(described: readonly NodeSpec[]): void {
  const names = described.map(({ name }) => name)
  for (const { name, environment } of described) {
    const listed = required(environment, 'CLUSTER_NODES', name).split(',')
    if (listed.length !== names.length || names.some(other => !listed.includes(other))) {
      throw invalid(name, `CLUSTER_NODES is "${listed.join(',')}"`, `The nodes of the file are ${names.join(',')}.`)
    }
    for (const variable of ['PRIMARY_CONNINFO', ...SAME_ON_ALL]) required(environment, variable, name)
    const fault = faultIn(environment)
    if (fault !== undefined) throw invalid(name, fault.fact, fault.hint)
    for (const variable of SAME_ON_ALL) {
      if (environment[variable] !== described[0]?.environment[variable])
        throw invalid(name, `its ${variable} is not that of ${names[0]}`, 'It is the same on every node.')
    }
  }
}

const SAME_ON_ALL = [
  ...['POSTGRES_DB', 'POSTGRES_USER', 'POSTGRES_PASSWORD', 'LAB_USER', 'LAB_PASSWORD'],
  ...['REPLICATION_USER', 'REPLICATION_PASSWORD'],
]

const nodesOf = (services: ComposeModel['services']): NodeSpec[] =>
  Object.entries(services)
    .filter(([, { environment = {} }]) => typeof environment['NODE_NAME'] === 'string')
    .map(([name, service]) => node(name, service))

function node(name: string, service: ComposeService): NodeSpec {
  const environment = Object.fromEntries(
    Object.entries(service.environment ?? {}).filter((entry): entry is [string, string] => entry[1] !== null),
  )
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
  const binds = (service.volumes ?? []).filter(({ type }) => type === 'bind')
  return {
    name,
    containerName: service.container_name,
    image: service.image ?? '',
    firstStart,
    client: clientAddress(name, service),
    data: dataDirectory(name, required(environment, 'PGDATA', name), service),
    settings: (service.command ?? []).slice(1),
    environment,
    binds: Object.fromEntries(binds.map(({ target, source = '' }) => [target, source])),
  }
}

/** Where clients of this machine reach what is published: all addresses are also the loopback's. */
const LOOPBACK: Readonly<Record<string, string>> = { '': '127.0.0.1', '0.0.0.0': '127.0.0.1', '::': '::1' }

function clientAddress(name: string, { ports = [] }: ComposeService): NodeSpec['client'] {
  const found = ports.find(({ target, protocol = 'tcp' }) => target === 5432 && protocol === 'tcp')
  const { host_ip: host = '', published = '' } = found ?? {}
  if (!/^\d{1,5}$/.test(published) || Number(published) < 1 || Number(published) > 65_535) {
    throw invalid(
      name,
      `it publishes port 5432 as "${published}"`,
      'Write 127.0.0.1:5432:5432, the first number from 1 to 65535.',
    )
  }
  return { host: LOOPBACK[host] ?? host, port: Number(published) }
}

/** A volume's name, as the engine takes it: locally it is a folder's. */
const VOLUME = /^[a-zA-Z0-9][\w.-]+$/

/** PGDATA must be a folder inside a named volume, so that a clone can be renamed into place. */
function dataDirectory(name: string, pgdata: string, { volumes = [] }: ComposeService): NodeSpec['data'] {
  const mount = volumes.find(
    ({ type, source = '', target }) => type === 'volume' && VOLUME.test(source) && pgdata.startsWith(`${target}/`),
  )
  if (mount?.source === undefined || /(^|\/)\.\.(\/|$)/.test(pgdata)) {
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
  if (value === undefined) {
    throw invalid(service, `${name} is missing from its environment`, `Add ${name} to its environment.`)
  }
  if (value === '') {
    const hint = `Give ${name} a value. A variable that is not set is empty, as in Compose, unless it has a default: \${NAME:-value}.`
    throw invalid(service, `${name} is empty in its environment`, hint)
  }
  return value
}

const invalid = (service: string, fact: string, hint: string): LabError =>
  new LabError('COMPOSE_FILE_INVALID', `the lab cannot run service ${service}: ${fact}`, { hint })
