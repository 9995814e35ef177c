/**
 * Reads a compose file where there is no Docker Compose to ask. It gives what Compose gives, and what it does not read it
 * names: test/unit/topology/compose/corpus.json has Compose's own answers.
 */
import { readFileSync } from 'node:fs'
import { basename, dirname } from 'node:path'
import { codeOf, isLabError, LabError, messageOf } from '../../errors.ts'
import { parseDotEnv } from './dot-env.ts'
import { interpolate, type Variables } from './interpolation.ts'
import { mapText, type ComposeModel, type ComposeService } from './model.ts'
import { mapping, mergeServices, parseService, string, type ServicePart } from './service.ts'
import type { ComposeDocument, ComposeSource } from './source.ts'
import type { Places } from './volumes.ts'
import { plainValue } from './yaml.ts'

/** @throws LabError COMPOSE_FILE_INVALID, UNKNOWN_VARIABLE */
export function resolveCompose(source: ComposeSource): ComposeModel {
  const { documents, variables } = source
  const [{ file }] = documents
  const places = { folder: dirname(file), home: variables['HOME'] }
  const parts = documents.map((document, at) => parseDocument(document, { ...places, variables, isFirst: at === 0 }))
  const services = new Map<string, ServicePart>()
  for (const [name, part] of parts.flatMap(({ services: all }) => all)) {
    const before = services.get(name)
    services.set(name, before === undefined ? part : mergeServices(before, part))
  }
  const volumes = new Set(parts.flatMap(part => part.volumes))
  const active = [...services].filter(([, { profiles }]) => isActive(profiles, variables))
  return {
    name: projectName(
      parts.map(({ name }) => name).findLast(name => name !== undefined),
      source,
    ),
    services: Object.fromEntries(
      active.map(([name, part]) => [
        name,
        explained(`services.${name}`, file, () => complete(part, { source, volumes })),
      ]),
    ),
  }
}

interface DocumentPart {
  readonly name: string | undefined
  readonly services: readonly (readonly [name: string, part: ServicePart])[]
  /** Their names. */
  readonly volumes: readonly string[]
}

function parseDocument(
  { file, text }: ComposeDocument,
  { variables, isFirst, ...places }: Places & { readonly variables: Variables; readonly isFirst: boolean },
): DocumentPart {
  const value = plainValue(text, file)
  if (value === null && !isFirst) return { name: undefined, services: [], volumes: [] }
  return explained('', file, () => {
    const {
      name,
      services = isFirst ? null : {},
      volumes,
      include,
    } = mapping(mapText(value, written => interpolate(written, variables)))
    if (include !== undefined) throw new Error('include is not followed')
    return {
      name: name === undefined ? undefined : string(name),
      services: Object.entries(explained('services', file, () => mapping(services))).map(([service, body]) => [
        service,
        explained(`services.${service}`, file, () =>
          parseService(mapping(body === null && !isFirst ? {} : body), places),
        ),
      ]),
      volumes: Object.keys(mapping(volumes ?? {})),
    }
  })
}

/** What is left when all files are merged, with the values of its `env_file`. */
function complete(
  { image = '', isBuilt, command = null, envFiles, profiles: _, ...part }: ServicePart,
  { source, volumes }: { readonly source: ComposeSource; readonly volumes: ReadonlySet<string> },
): ComposeService {
  if (image === '' && !isBuilt) throw new Error('has neither image nor build')
  const unknown = part.volumes.find(
    ({ type, source: name }) => type === 'volume' && name !== undefined && !volumes.has(name),
  )
  if (unknown?.source !== undefined) throw new Error(`mounts the volume ${unknown.source}, which is not under volumes`)
  const { variables } = source
  const environment: Record<string, string | null> = {}
  for (const { path, isRequired } of envFiles) Object.assign(environment, envFileIn(path, isRequired, source))
  for (const [name, value] of Object.entries(part.environment))
    environment[name] = value ?? (Object.hasOwn(variables, name) ? variables[name] : undefined) ?? null
  return { ...part, ...(image === '' ? {} : { image }), command, environment }
}

function envFileIn(path: string, isRequired: boolean, { variables }: ComposeSource): Variables {
  let text
  try {
    text = readFileSync(path, 'utf8')
  } catch (error) {
    if (!isRequired && codeOf(error) === 'ENOENT') return {}
    throw new Error(`env_file ${path} cannot be read`, { cause: error })
  }
  try {
    return parseDotEnv(text, variables)
  } catch (error) {
    throw new Error(`env_file ${path}: ${messageOf(error)}`, { cause: error })
  }
}

/** https://docs.docker.com/compose/how-tos/profiles/ */
function isActive(profiles: readonly string[], variables: Variables): boolean {
  const active = (variables['COMPOSE_PROFILES'] ?? '').split(',')
  return profiles.length === 0 || active.includes('*') || profiles.some(profile => active.includes(profile))
}

/** https://docs.docker.com/compose/how-tos/project-name/ */
function projectName(written: string | undefined, { documents: [{ file }], variables }: ComposeSource): string {
  const asked = variables['COMPOSE_PROJECT_NAME']
  if (asked !== undefined && asked !== '') return asked
  return normalised(written || basename(dirname(file)))
}

const normalised = (name: string): string =>
  name
    .toLowerCase()
    .replace(/[^a-z0-9_-]/g, '')
    .replace(/^[_-]+/, '')

/** Says where in which file, and what to do. */
function explained<T>(where: string, file: string, read: () => T): T {
  try {
    return read()
  } catch (error) {
    if (isLabError(error)) throw error
    const fact = `${where === '' ? '' : `${where}: `}${messageOf(error)}`
    throw new LabError('COMPOSE_FILE_INVALID', `the lab cannot read ${file}: ${fact}`, {
      hint: /not followed|not read/.test(fact)
        ? 'With Docker Compose on this machine, and LAB_RUNTIME=docker, Compose reads it. docker compose config makes one plain file of it.'
        : 'docker compose config shows how Compose reads the file.',
      cause: error,
    })
  }
}
