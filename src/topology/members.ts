/**
 * Members: nodes that were added while the cluster ran. Each is the first standby of the compose file once more, under
 * another name and on another port; everything else of it follows that service, also when the file is edited later.
 */
import { LabError, messageOf } from '../errors.ts'
import type { Variables } from './compose/interpolation.ts'
import { mapText, type ComposeModel, type ComposeService } from './compose/model.ts'
import type { Member, NodeSpec, Topology } from './topology.ts'

/** More than these, beside the primary, the settings in the compose file are not meant for (max_wal_senders). */
export const MOST_REPLICAS = 10

/** A slot is named as its node: https://www.postgresql.org/docs/current/warm-standby.html#STREAMING-REPLICATION-SLOTS-MANIPULATION */
export const isSlotName = (name: string): boolean => /^[a-z0-9_]{1,63}$/.test(name)

/** The service that members are copies of. @throws LabError COMPOSE_FILE_INVALID */
export function templateOf(nodes: readonly NodeSpec[]): NodeSpec {
  const template = nodes.find(({ firstStart }) => firstStart === 'clone')
  if (template !== undefined) return template
  throw new LabError('COMPOSE_FILE_INVALID', 'the compose file describes no standby that a further one could be like', {
    hint: 'Give it a service with FIRST_START: clone.',
  })
}

/** The next name in the row of the template's: after replica1 and replica2, replica3. */
export function nextName({ nodes }: Topology): string {
  const [, prefix = '', number = '1'] = /^(.*?)(\d*)$/.exec(templateOf(nodes).name) ?? []
  for (let at = Number(number || '1') + 1; ; at++) {
    if (!nodes.some(({ name }) => name === `${prefix}${at}`)) return `${prefix}${at}`
  }
}

/** Whether a further replica of that name can be added. @throws LabError USAGE */
export function requireRoomFor(name: string, { nodes }: Topology): void {
  if (nodes.length - 1 >= MOST_REPLICAS) {
    throw new LabError(
      'USAGE',
      `there are ${nodes.length - 1} replicas, and no more than ${MOST_REPLICAS} are allowed`,
      {
        hint: 'Remove one first.',
      },
    )
  }
  if (!isSlotName(name)) {
    throw new LabError('USAGE', `"${name}" cannot be the name of a node, because it cannot be that of a slot`, {
      hint: 'Use lower-case letters, digits and underscores.',
    })
  }
  if (nodes.some(node => node.name === name || node.containerName === name)) {
    throw new LabError('USAGE', `there is a node "${name}" already`, {
      hint: 'Choose another name, or none: then the next free one is taken.',
    })
  }
}

/** The members as services. */
export function memberServices(
  { services }: ComposeModel,
  {
    described,
    members,
    variables,
  }: { readonly described: readonly NodeSpec[]; readonly members: readonly Member[]; readonly variables: Variables },
): ComposeModel['services'] {
  const template = templateOf(described)
  const service = services[template.name] ?? {}
  return Object.fromEntries(
    members.map(({ name, port }) => {
      const named = variables[portVariable(name)]
      return [
        name,
        copyOf(service, template, { name, port: named === undefined || named === '' ? String(port) : named }),
      ]
    }),
  )
}

/**
 * The members as a compose file that is read beside the first one: JSON is YAML. It holds what their template holds,
 * passwords too.
 */
export function membersDocument(services: ComposeModel['services']): string {
  const volumes = Object.fromEntries(Object.keys(services).map(name => [volumeOf(name), {}]))
  const escaped = mapText({ services, volumes }, text => text.replaceAll('$', '$$$$'))
  return `${JSON.stringify(escaped, undefined, 2)}\n`
}

/** What is a node's own is made anew; all the rest stays as it is. */
function copyOf(
  { container_name: container, ...service }: ComposeService,
  template: NodeSpec,
  { name, port }: { readonly name: string; readonly port: string },
): ComposeService {
  return {
    ...service,
    ...(container?.includes(template.name) === true
      ? { container_name: container.replaceAll(template.name, name) }
      : {}),
    ...(service.networks === undefined
      ? {}
      : {
          networks: mapText(service.networks, text => text.replaceAll(template.name, name)) as typeof service.networks,
        }),
    environment: { ...service.environment, NODE_NAME: name },
    ports: [{ host_ip: template.client.host, target: 5432, published: port, protocol: 'tcp' }],
    volumes: (service.volumes ?? []).map(volume =>
      volume.target === template.data.mountedAt ? { ...volume, source: volumeOf(name) } : volume,
    ),
  }
}

const volumeOf = (name: string): string => `${name}-data`

/** The variable that decides a node's port, as the compose file's own nodes have theirs. */
export const portVariable = (name: string): string => `${name.toUpperCase()}_PORT`

/** What is kept of the members between two commands. */
export const formatMembers = (members: readonly Member[]): string =>
  `${JSON.stringify({ version: 1, members }, undefined, 2)}\n`

/** Reads what {@link formatMembers} wrote. @throws LabError STATE_INVALID */
export function parseMembers(text: string, file: string): readonly Member[] {
  try {
    const { version, members } = (JSON.parse(text) ?? {}) as { readonly version?: unknown; readonly members?: unknown }
    if (version !== 1) throw new Error(`its version is ${JSON.stringify(version)}, and this lab knows 1`)
    if (!Array.isArray(members)) throw new Error('it lists no members')
    return members.map(parseMember)
  } catch (error) {
    throw new LabError(
      'STATE_INVALID',
      `${file}, where the lab keeps which nodes were added, cannot be read: ${messageOf(error)}`,
      {
        hint: 'Remove it; pnpm run down, then pnpm run up, makes the cluster anew without them.',
        cause: error,
      },
    )
  }
}

function parseMember(value: unknown): Member {
  const { name, port } = (value ?? {}) as { readonly name?: unknown; readonly port?: unknown }
  const isPort = typeof port === 'number' && Number.isInteger(port) && port >= 1 && port <= 65_535
  if (typeof name === 'string' && isSlotName(name) && isPort) return { name, port }
  throw new Error(`${JSON.stringify(value)} is no member`)
}
