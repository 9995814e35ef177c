/**
 * Members: nodes that were added while the cluster ran. Each is the first standby of the compose file once more, under
 * another name and on another port; everything else of it follows that service, also when the file is edited later.
 */
import { LabError, messageOf } from '../errors.ts'
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

/**
 * The members as a compose file that is read beside the first one. `compose` is the first one as it is written, its
 * variables unresolved: what they stand for, passwords too, is then in no second file.
 */
export function membersDocument(
  compose: unknown,
  nodes: readonly NodeSpec[],
  members: readonly Member[],
): Readonly<Record<string, unknown>> {
  const template = templateOf(nodes)
  const service = at(at(compose, 'services'), template.name)
  return {
    services: Object.fromEntries(members.map(member => [member.name, copyOf(service, template, member)])),
    volumes: Object.fromEntries(members.map(({ name }) => [`${name}-data`, {}])),
  }
}

const at = (value: unknown, key: string): Readonly<Record<string, unknown>> =>
  (value as Record<string, Record<string, unknown> | undefined>)[key] ?? {}

/** What is a node's own is made anew; all the rest stays as it is. */
function copyOf(
  { container_name: container, networks, environment, volumes, ...service }: Readonly<Record<string, unknown>>,
  template: NodeSpec,
  { name, port }: Member,
): Readonly<Record<string, unknown>> {
  const isNamedSo = typeof container === 'string' && container.includes(template.name)
  const data = `${name}-data:${template.data.mountedAt}`
  return {
    ...service,
    ...(isNamedSo ? { container_name: container.replaceAll(template.name, name) } : {}),
    ...(networks === undefined ? {} : { networks: renamed(networks, template.name, name) }),
    environment: ownEnvironment(environment, name),
    ports: [`${template.client.host}:\${${portVariable(name)}:-${port}}:5432`],
    volumes: (volumes as readonly unknown[]).map(volume =>
      isMountedAt(volume, template.data.mountedAt) ? data : volume,
    ),
  }
}

function isMountedAt(volume: unknown, path: string): boolean {
  const target = typeof volume === 'string' ? volume.split(':')[1] : (volume as { readonly target?: unknown }).target
  return typeof target === 'string' && target.replace(/\/+$/, '') === path
}

/** The variable that decides a node's port, as the compose file's own nodes have theirs. */
export const portVariable = (name: string): string => `${name.toUpperCase()}_PORT`

function ownEnvironment(environment: unknown, name: string): unknown {
  if (!Array.isArray(environment)) return { ...(environment as object), NODE_NAME: name }
  return [...(environment as string[]).filter(item => !item.startsWith('NODE_NAME=')), `NODE_NAME=${name}`]
}

/** Every text in it that holds `from` holds `to` instead: the aliases, which are named as the node. */
function renamed(value: unknown, from: string, to: string): unknown {
  if (typeof value === 'string') return value.replaceAll(from, to)
  if (Array.isArray(value)) return value.map(item => renamed(item, from, to))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, renamed(item, from, to)]))
}

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
