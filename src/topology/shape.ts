/**
 * A compose file like the lab's own, with more or fewer replicas, other settings, or another image. Pure.
 */
import { parse, stringify } from 'yaml'
import { LabError } from '../errors.ts'
import { isSlotName, MOST_REPLICAS, portVariable } from './members.ts'

export interface Shape {
  /** @default 2 */
  readonly replicas?: number | undefined
  /** Of every node, beside those of the file: `max_connections` → `200`. */
  readonly settings?: Readonly<Record<string, string | number | boolean>> | undefined
}

interface Service {
  readonly command: readonly string[]
  readonly environment: Readonly<Record<string, string>>
  readonly volumes: readonly string[]
}

interface Compose {
  readonly services: Readonly<Record<string, Service>>
  readonly volumes: Readonly<Record<string, object>>
}

/**
 * The text of a compose file of that shape; `folder` is where the lab's own is, and what it binds in.
 * @throws LabError USAGE for a number of replicas, or a name of a setting, that cannot be
 */
export function shaped(text: string, folder: string, { replicas = 2, settings = {} }: Shape): string {
  requireNumber(replicas)
  const file = parse(text, { merge: true }) as Compose
  const { primary, replica1 } = file.services
  if (primary === undefined || replica1 === undefined) throw new Error("the lab's own compose file has both")
  const names = Array.from({ length: replicas }, (_, at) => `replica${at + 1}`)
  const extra = Object.entries(settings).map(([name, value]) => `--${requireSetting(name)}=${settingText(value)}`)
  const renamed = (service: Service, name: string): Service => {
    const port = `${portVariable(name)}:-${5432 + Number(name.slice('replica'.length))}`
    const own = JSON.stringify(service).replaceAll('replica1', name).replaceAll('REPLICA1_PORT:-5433', port)
    const { command, environment, volumes, ...rest } = JSON.parse(own) as Service
    return {
      ...rest,
      command: [...command, ...extra],
      environment: {
        ...environment,
        CLUSTER_NODES: ['primary', ...names].join(','),
        PRIMARY_CONNINFO: peers(service, names),
      },
      volumes: volumes.map(volume => volume.replace(/^\.\//, `${folder}/`)),
    }
  }
  const replicaServices = names.map(name => [name, renamed(replica1, name)] as const)
  const volumes = Object.fromEntries(['primary', ...names].map(name => [`${name}-data`, {}]))
  const services = { primary: renamed(primary, 'replica1'), ...Object.fromEntries(replicaServices) }
  return stringify({ ...withoutExtensions(file), services, volumes })
}

const withoutExtensions = (file: object): object =>
  Object.fromEntries(Object.entries(file).filter(([name]) => !name.startsWith('x-')))

/** All of them: each may have to follow any other. */
const peers = ({ environment }: Service, names: readonly string[]): string =>
  (environment['PRIMARY_CONNINFO'] ?? '').replace(
    /host=\S+/,
    `host=${['primary', ...names].map(name => `${name}.replication`).join(',')}`,
  )

function requireNumber(replicas: number): void {
  if (Number.isInteger(replicas) && replicas >= 1 && replicas <= MOST_REPLICAS) return
  throw new LabError('USAGE', `a cluster cannot have ${replicas} replicas`, {
    hint: `It has 1 to ${MOST_REPLICAS} of them.`,
  })
}

/** https://www.postgresql.org/docs/current/config-setting.html */
function requireSetting(name: string): string {
  if (isSlotName(name.toLowerCase().replaceAll('.', '_'))) return name
  throw new LabError('USAGE', `${JSON.stringify(name)} is no name of a setting`, {
    hint: 'It is one of pg_settings: { max_connections: 200 }.',
  })
}

/** Compose would put a variable in the place of what begins with a dollar sign. */
const settingText = (value: string | number | boolean): string =>
  (typeof value === 'boolean' ? (value ? 'on' : 'off') : String(value)).replaceAll('$', '$$$$')
