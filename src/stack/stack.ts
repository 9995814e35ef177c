/**
 * A stack of stacks/: other people's engines around the lab's nodes, as its compose file over the lab's own describes them.
 * Docker only. Everything of it that is not the nodes' is read from Compose's own answer, so nothing is repeated here.
 */
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { LabError } from '../errors.ts'
import { lastLines, run } from '../runtime/command.ts'
import type { CommandResult, Endpoint, Interruptible } from '../runtime/runtime.ts'
import type { Cluster } from '../cluster/cluster.ts'
import { parseComposeModel, type ComposeModel, type ComposeService } from '../topology/compose/model.ts'
import type { Credentials, Topology } from '../topology/topology.ts'

/** How many members etcd has. */
export type EtcdMembers = 1 | 3

/** Patroni's stack over one cluster. */
export interface PatroniStack {
  readonly topology: Topology
  /** The words before those of a `docker compose`. */
  readonly compose: readonly [string, ...string[]]
  readonly variables: Topology['variables']
  readonly image: string
  readonly scope: string
  /** Patroni's REST interface, by node. */
  readonly rest: ReadonlyMap<string, Endpoint>
  readonly restUser: Credentials
  readonly haproxy: { readonly primary: Endpoint; readonly standbys: Endpoint; readonly stats: Endpoint }
  readonly pgbouncer: Endpoint & { readonly admin: Credentials; readonly queryWaitMs: number }
  readonly etcd: readonly string[]
}

export interface StackOptions {
  /** @default as many as there are; one, where there is none */
  readonly etcd?: EtcdMembers | undefined
}

const FOLDER = 'stacks/patroni'
const ETCD = { 1: ['etcd'], 3: ['etcd', 'etcd2', 'etcd3'] } as const

/** Starts nothing. @throws LabError NO_RUNTIME without Docker; USAGE where the stack cannot be put over this cluster */
export async function readStack(cluster: Cluster, { etcd }: StackOptions = {}): Promise<PatroniStack> {
  const { runtime, topology } = cluster
  if (runtime.name !== 'docker') {
    throw new LabError('NO_RUNTIME', 'the stack of Patroni needs Docker, and this cluster runs as local processes', {
      hint: 'Start a Docker Engine, and say LAB_RUNTIME=docker or --runtime docker.',
    })
  }
  const overlay = requireOverlay(topology)
  requireThreeNodes(topology)
  const members = ETCD[etcd ?? (await membersThere(topology))]
  const more = members.length === 1 ? [] : [join(dirname(overlay), 'compose.etcd3.yml')]
  const files = [...topology.documents.map(({ file }) => file), overlay, ...more].flatMap(file => ['--file', file])
  const variables = {
    ...topology.variables,
    ETCD_MEMBERS: members.join(','),
    PATRONI_ETCD_HOSTS: members.map(member => `${member}:2379`).join(','),
  }
  const compose = ['docker', 'compose', ...files, '--project-name', topology.project, '--ansi', 'never'] as const
  const { exitCode, stdout, stderr } = await run([...compose, 'config', '--format', 'json'], { environment: variables })
  if (exitCode !== 0)
    throw new LabError('COMPOSE_FILE_INVALID', `Docker Compose cannot read ${overlay}: ${lastLines(stderr, 2)}`)
  return { topology, compose: [...compose], variables, etcd: members, ...describe(parseComposeModel(stdout), topology) }
}

/** @throws LabError NOT_RUNNING */
export async function requireManaged({ runtime }: Cluster): Promise<void> {
  if ((await runtime.manager()) !== undefined) return
  throw new LabError('NOT_RUNNING', 'Patroni manages no node of this cluster', {
    hint: 'pnpm run stack up patroni brings it up; pnpm run up is for a cluster of the lab.',
  })
}

/** Paths in it begin at the folder of the first file, so it fits the lab's own compose file, or a copy with its folders beside it. */
function requireOverlay({ file }: Topology): string {
  const overlay = join(dirname(file), FOLDER, 'compose.yml')
  if (existsSync(overlay)) return overlay
  throw new LabError('USAGE', `there is no ${FOLDER} beside ${file}`, {
    hint: "The stack is written for the lab's own docker-compose.yml: leave out --file, or copy the folder stacks there.",
  })
}

function requireThreeNodes({ members }: Topology): void {
  const [first] = members
  if (first === undefined) return
  throw new LabError(
    'USAGE',
    `the stack has three nodes, and ${members.map(({ name }) => name).join(', ')} beside them`,
    {
      hint: `Remove what was added first: pnpm run remove-replica ${first.name}.`,
    },
  )
}

/** As the project's containers say; a stack that is there keeps its etcd. */
async function membersThere({ project, variables }: Topology): Promise<EtcdMembers> {
  const filters = [`label=com.docker.compose.project=${project}`, 'label=com.docker.compose.service=etcd3']
  const argv = ['docker', 'ps', '--all', '--quiet', ...filters.flatMap(filter => ['--filter', filter])] as const
  const { stdout } = await run([...argv], { environment: variables })
  return stdout.trim() === '' ? 1 : 3
}

function describe(
  { services }: ComposeModel,
  topology: Topology,
): Omit<PatroniStack, 'topology' | 'compose' | 'variables' | 'etcd'> {
  const node = serviceOf(services, topology.nodes[0]?.name ?? '')
  const [haproxy, pgbouncer] = [serviceOf(services, 'haproxy'), serviceOf(services, 'pgbouncer')]
  return {
    image: node.image ?? '',
    scope: valueOf(node, 'PATRONI_SCOPE'),
    rest: new Map(topology.nodes.map(({ name }) => [name, published(serviceOf(services, name), 8008)])),
    restUser: { user: valueOf(node, 'PATRONI_RESTAPI_USERNAME'), password: valueOf(node, 'PATRONI_RESTAPI_PASSWORD') },
    haproxy: {
      primary: published(haproxy, 5000),
      standbys: published(haproxy, 5001),
      stats: published(haproxy, 7000),
    },
    pgbouncer: {
      ...published(pgbouncer, 6432),
      admin: { user: valueOf(pgbouncer, 'PGBOUNCER_ADMIN'), password: valueOf(pgbouncer, 'PGBOUNCER_ADMIN_PASSWORD') },
      queryWaitMs: 1000 * Number(valueOf(pgbouncer, 'QUERY_WAIT_TIMEOUT')),
    },
  }
}

function serviceOf(services: ComposeModel['services'], name: string): ComposeService {
  const found = services[name]
  if (found !== undefined) return found
  throw new LabError('COMPOSE_FILE_INVALID', `${FOLDER}/compose.yml has no service ${name}`)
}

const valueOf = ({ environment = {} }: ComposeService, name: string): string => environment[name] ?? ''

function published({ ports = [] }: ComposeService, target: number): Endpoint {
  const found = ports.find(port => port.target === target)
  return { host: found?.host_ip ?? '127.0.0.1', port: Number(found?.published) }
}

export interface ComposeOptions extends Interruptible {
  readonly timeoutMs: number
}

/** Runs `docker compose` with the stack's files. @throws LabError DOCKER_FAILED, TIMEOUT, INTERRUPTED */
export async function runCompose(
  { compose, variables }: Pick<PatroniStack, 'compose' | 'variables'>,
  args: readonly [string, ...string[]],
  { timeoutMs, signal }: ComposeOptions,
): Promise<CommandResult> {
  const result = await run([...compose, ...args], { environment: variables, timeoutMs, signal })
  if (result.exitCode === 0) return result
  throw new LabError('DOCKER_FAILED', `docker compose ${args[0]} failed: ${lastLines(result.stderr, 2)}`, {
    hint: 'pnpm run logs shows what the nodes say. pnpm run stack up patroni goes on from here, pnpm run stack down patroni gives the cluster back.',
  })
}
