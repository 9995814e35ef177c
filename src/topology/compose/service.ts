/**
 * One service of a compose file, from the several spellings of its keys to the one of the model.
 * https://docs.docker.com/reference/compose-file/services/
 */
import type { ComposePort, ComposeService, ComposeVolume } from './model.ts'
import { shortPorts } from './ports.ts'
import { shellWords } from './shell-words.ts'
import { absolute, cleaned, shortVolume, type Places } from './volumes.ts'
import { numberText } from './yaml.ts'

/** As one file has it: another one may add to it. */
export interface ServicePart extends Omit<ComposeService, 'command'> {
  /** Null takes away what an earlier file says. */
  readonly command: readonly string[] | null | undefined
  readonly environment: Readonly<Record<string, string | null>>
  readonly ports: readonly ComposePort[]
  readonly volumes: readonly ComposeVolume[]
  readonly envFiles: readonly EnvFile[]
  readonly profiles: readonly string[]
  readonly isBuilt: boolean
}

export interface EnvFile {
  readonly path: string
  readonly isRequired: boolean
}

type Mapping = Readonly<Record<string, unknown>>

/** @throws Error which begins with the key that is wrong */
export function parseService(body: Mapping, places: Places): ServicePart {
  const unknown = Object.keys(body).find(key => !KEYS.has(key) && !key.startsWith('x-'))
  if (unknown !== undefined) throw new Error(`${unknown} is no key of a service`)
  if ('extends' in body) throw new Error('extends is not followed')
  const at = <T>(key: string, read: (value: unknown) => T, none: T): T =>
    key in body ? within(key, () => read(body[key])) : none
  const image = at('image', string, undefined)
  const container = at('container_name', string, undefined)
  return {
    ...(image === undefined ? {} : { image }),
    ...(container === undefined ? {} : { container_name: container }),
    command: at('command', command, undefined),
    environment: at('environment', environment, {}),
    ports: at('ports', value => unique(list(value).flatMap(port)), []),
    volumes: at('volumes', value => byTarget(list(value).map(item => volume(item, places))), []),
    envFiles: at('env_file', value => envFiles(value, places), []),
    profiles: at('profiles', value => list(value).map(string), []),
    isBuilt: 'build' in body,
  }
}

/** What a later file says wins; lists grow. https://docs.docker.com/reference/compose-file/merge/ */
export const mergeServices = (one: ServicePart, other: ServicePart): ServicePart => ({
  ...one,
  ...other,
  command: other.command === undefined ? one.command : other.command,
  environment: { ...one.environment, ...other.environment },
  ports: unique([...one.ports, ...other.ports]),
  volumes: byTarget([...one.volumes, ...other.volumes]),
  envFiles: [...one.envFiles, ...other.envFiles],
  profiles: [...one.profiles, ...other.profiles],
  isBuilt: one.isBuilt || other.isBuilt,
})

function command(value: unknown): readonly string[] | null {
  if (value === null) return null
  if (typeof value === 'string') return shellWords(value)
  if (!Array.isArray(value)) throw new Error('is neither text nor a list')
  return value.filter(word => word !== null).map(string)
}

function environment(value: unknown): Record<string, string | null> {
  if (!Array.isArray(value)) {
    const entries = Object.entries(mapping(value))
    return Object.fromEntries(entries.map(([name, item]) => [name, within(name, () => scalar(item))]))
  }
  return Object.fromEntries(
    value.map(item => {
      const [name = '', ...rest] = string(item).split('=')
      return [name, rest.length === 0 ? null : rest.join('=')]
    }),
  )
}

function port(value: unknown): ComposePort[] {
  if (typeof value === 'string' || typeof value === 'bigint') return shortPorts(String(value))
  const { host_ip: host, published, target, protocol = 'tcp' } = mapping(value)
  const number = Number(scalar(target ?? null))
  if (!Number.isInteger(number)) throw new Error('has no target that is a port')
  const publishes = published === undefined ? '' : scalar(published)
  return [
    {
      ...(host === undefined || host === '' ? {} : { host_ip: string(host) }),
      target: number,
      ...(publishes === null || publishes === '' ? {} : { published: publishes }),
      protocol: string(protocol),
    },
  ]
}

function volume(value: unknown, places: Places): ComposeVolume {
  if (typeof value === 'string') return shortVolume(value, places)
  const { type, source, target } = mapping(value)
  if (type === undefined) throw new Error('has one without a type')
  const base = { type: string(type), target: cleaned(string(target)) }
  if (source === undefined || source === '') return base
  return { ...base, source: base.type === 'bind' ? absolute(string(source), places) : string(source) }
}

function envFiles(value: unknown, places: Places): EnvFile[] {
  return (Array.isArray(value) ? value : [value]).map(item => {
    if (typeof item === 'string') return { path: absolute(item, places), isRequired: true }
    const { path, required = true, format } = mapping(item)
    if (format !== undefined) throw new Error(`has the format ${JSON.stringify(format)}, which is not read`)
    return { path: absolute(string(path), places), isRequired: required !== false }
  })
}

/** The last one of those that are mounted at the same place, where the first was. */
const byTarget = (volumes: readonly ComposeVolume[]): ComposeVolume[] => [
  ...new Map(volumes.map(item => [item.target, item])).values(),
]

const unique = (ports: readonly ComposePort[]): ComposePort[] => [
  ...new Map(
    ports.map(item => [JSON.stringify([item.host_ip, item.target, item.published, item.protocol]), item]),
  ).values(),
]

/** Names the key in front of what is wrong with it. */
function within<T>(key: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    throw new Error(`${key} ${(error as Error).message}`, { cause: error })
  }
}

export function mapping(value: unknown): Mapping {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Mapping
  throw new Error('is not a mapping')
}

function list(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value
  throw new Error('is not a list')
}

export function string(value: unknown): string {
  if (typeof value === 'string') return value
  throw new Error(`has a ${typeof value === 'bigint' ? 'number' : typeof value} where text is needed`)
}

function scalar(value: unknown): string | null {
  if (typeof value === 'string' || value === null) return value
  if (typeof value === 'boolean') return String(value)
  if (typeof value === 'bigint' || Number.isFinite(value)) return numberText(value as number | bigint)
  throw new Error('is neither text, a number nor a boolean')
}

/** https://github.com/compose-spec/compose-spec/blob/main/schema/compose-spec.json: `service` */
const KEYS = new Set(
  [
    'annotations attach blkio_config build cap_add cap_drop cgroup cgroup_parent command configs container_name cpu_count',
    'cpu_percent cpu_period cpu_quota cpu_rt_period cpu_rt_runtime cpu_shares cpus cpuset credential_spec depends_on deploy',
    'develop device_cgroup_rules devices dns dns_opt dns_search domainname entrypoint env_file environment expose extends',
    'external_links extra_hosts gpus group_add healthcheck hostname image init ipc isolation label_file labels links logging',
    'mac_address mem_limit mem_reservation mem_swappiness memswap_limit models network_mode networks oom_kill_disable',
    'oom_score_adj pid pids_limit platform ports post_start pre_stop privileged profiles provider pull_policy',
    'pull_refresh_after read_only restart runtime scale secrets security_opt shm_size stdin_open stop_grace_period',
    'stop_signal storage_opt sysctls tmpfs tty ulimits use_api_socket user userns_mode uts volumes volumes_from working_dir',
  ].flatMap(line => line.split(' ')),
)
