/**
 * A compose file with everything resolved, in the one spelling in which `docker compose config --format json` prints it;
 * of that, what the lab reads. Compose's other keys may be there too.
 * https://docs.docker.com/reference/compose-file/services/
 */

export interface ComposeModel {
  /** Of the project. */
  readonly name: string
  readonly services: Readonly<Record<string, ComposeService>>
}

export interface ComposeService {
  readonly image?: string
  readonly container_name?: string
  readonly command?: readonly string[] | null
  /** Null: the container does not have it. */
  readonly environment?: Readonly<Record<string, string | null>>
  readonly ports?: readonly ComposePort[]
  readonly volumes?: readonly ComposeVolume[]
  /** By name. Only Compose's own answer has them: without containers there are none. */
  readonly networks?: Readonly<Record<string, unknown>> | null
}

export interface ComposePort {
  /** Without it on every address. */
  readonly host_ip?: string
  readonly target: number
  /** A port or a range; without it the engine chooses. */
  readonly published?: string
  readonly protocol?: string
}

export interface ComposeVolume {
  /** `bind`, `volume`, `tmpfs` and more. */
  readonly type: string
  /** A volume's name or an absolute path; none for an anonymous volume. */
  readonly source?: string
  readonly target: string
}

/** Compose's own answer, in which every dollar sign is doubled. */
export const parseComposeModel = (json: string): ComposeModel => JSON.parse(json.replaceAll('$$', '$')) as ComposeModel

/** The value with each text in it replaced; keys stay. */
export function mapText(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === 'string') return replace(value)
  if (Array.isArray(value)) return value.map(item => mapText(item, replace))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, mapText(item, replace)]))
}
