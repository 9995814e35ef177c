/**
 * The few keys of the Compose format which the lab reads, brought from their several spellings to one.
 * https://docs.docker.com/reference/compose-file/services/
 */
import { LabError } from '../errors.ts'

export interface ComposeService {
  readonly containerName: string | undefined
  readonly image: string
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  /** Short form, `host:published:target`. */
  readonly ports: readonly string[]
  /** The source is empty for an unnamed volume. */
  readonly volumes: readonly { readonly source: string; readonly target: string }[]
}

export interface ComposeFile {
  readonly name: string | undefined
  readonly services: Readonly<Record<string, ComposeService>>
}

/** Checks a parsed compose file. @throws LabError COMPOSE_FILE_INVALID, naming the key that is wrong. */
export function composeSchema(value: unknown, file: string): ComposeFile {
  const at = (key: string): string => `${key} in ${file}`
  const root = mapping(value, file)
  const name = root['name']
  return {
    name: name === undefined ? undefined : scalar(name, at('name')),
    services: Object.fromEntries(
      Object.entries(mapping(root['services'], at('services'))).map(([service, body]) => [
        service,
        parseService(mapping(body, at(service)), key => at(`${service}.${key}`)),
      ]),
    ),
  }
}

function parseService(body: Readonly<Record<string, unknown>>, at: (key: string) => string): ComposeService {
  const containerName = body['container_name']
  return {
    containerName: containerName === undefined ? undefined : scalar(containerName, at('container_name')),
    image: body['image'] === undefined ? '' : scalar(body['image'], at('image')),
    command: list(body['command'], at('command')).map(word => scalar(word, at('command'))),
    environment: parseEnvironment(body['environment'], at('environment')),
    ports: list(body['ports'], at('ports')).map(port => parsePort(port, at('ports'))),
    volumes: list(body['volumes'], at('volumes')).map(volume => parseVolume(volume, at('volumes'))),
  }
}

/** A mapping, or a list of `NAME=value`. */
function parseEnvironment(value: unknown, where: string): Record<string, string> {
  if (!Array.isArray(value)) {
    const entries = Object.entries(value === undefined ? {} : mapping(value, where))
    return Object.fromEntries(entries.map(([name, item]) => [name, scalar(item ?? '', `${name} of ${where}`)]))
  }
  return Object.fromEntries(
    value.map(item => {
      const [name = '', ...rest] = scalar(item, where).split('=')
      return [name, rest.join('=')]
    }),
  )
}

function parsePort(value: unknown, where: string): string {
  if (typeof value === 'string' || typeof value === 'number') return String(value)
  const { host_ip: host = '127.0.0.1', published, target } = mapping(value, where)
  return `${scalar(host, where)}:${scalar(published ?? '', where)}:${scalar(target, where)}`
}

function parseVolume(value: unknown, where: string): { source: string; target: string } {
  if (typeof value === 'string') {
    const [source = '', target] = value.split(':')
    return target === undefined ? { source: '', target: trimmed(source) } : { source, target: trimmed(target) }
  }
  const { source = '', target } = mapping(value, where)
  return { source: scalar(source, where), target: trimmed(scalar(target, where)) }
}

const trimmed = (path: string): string => path.replace(/\/+$/, '')

function mapping(value: unknown, where: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>
  throw new LabError('COMPOSE_FILE_INVALID', `${where} is not a mapping`, { hint: 'See docker compose config.' })
}

function list(value: unknown, where: string): readonly unknown[] {
  if (value === undefined) return []
  if (Array.isArray(value)) return value
  throw new LabError('COMPOSE_FILE_INVALID', `${where} is not a list`, { hint: 'Write it as a YAML list.' })
}

function scalar(value: unknown, where: string): string {
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value)
  throw new LabError('COMPOSE_FILE_INVALID', `${where} is not a plain value`, { hint: 'See docker compose config.' })
}
