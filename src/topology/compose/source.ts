/**
 * The files that describe a cluster, unread: docker-compose.yml, the override beside it, and `.env`.
 */
import { existsSync, readFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { codeOf, LabError, messageOf } from '../../errors.ts'
import { parseDotEnv } from './dot-env.ts'
import type { Variables } from './interpolation.ts'

export interface SourceOptions {
  readonly file: string
  /** Wins over the `.env` beside the file. */
  readonly environment: Variables
}

export interface ComposeSource {
  /** In the order in which they are merged; the first one's folder is where relative paths begin. */
  readonly documents: readonly [ComposeDocument, ...ComposeDocument[]]
  /** Those of the environment and of `.env`. */
  readonly variables: Variables
  /** The text of a file that `env_file` names. @throws Error */
  readonly readEnvFile: (path: string) => string
}

export interface ComposeDocument {
  readonly file: string
  readonly text: string
}

/** @throws LabError COMPOSE_FILE_MISSING, COMPOSE_FILE_INVALID */
export async function readSource({ file, environment }: SourceOptions): Promise<ComposeSource> {
  const path = resolve(file)
  const main = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new LabError('COMPOSE_FILE_MISSING', `cannot read ${path}: ${messageOf(error)}`, {
      hint: 'Run the command in the folder of docker-compose.yml, or name the file with --file or LAB_COMPOSE_FILE.',
      cause: error,
    })
  })
  const override = overrideBeside(path)
  const documents: [ComposeDocument, ...ComposeDocument[]] = [{ file: path, text: main }]
  if (override !== undefined) documents.push({ file: override, text: await readFile(override, 'utf8') })
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined))
  const variables = { ...(await readDotEnv(join(dirname(path), '.env'), set)), ...set }
  return { documents, variables, readEnvFile }
}

const readEnvFile = (path: string): string => readFileSync(path, 'utf8')

const DEFAULT_NAMES = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml']
const OVERRIDE_NAMES = DEFAULT_NAMES.map(name => name.replace('compose.', 'compose.override.'))

/**
 * What `docker compose up`, typed in that folder, reads beside a file of a name of its own choice.
 * https://docs.docker.com/compose/how-tos/multiple-compose-files/merge/
 */
function overrideBeside(file: string): string | undefined {
  if (!DEFAULT_NAMES.includes(basename(file))) return undefined
  return OVERRIDE_NAMES.map(name => join(dirname(file), name)).find(path => existsSync(path))
}

async function readDotEnv(file: string, environment: Variables): Promise<Variables> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw new LabError('COMPOSE_FILE_INVALID', `cannot read ${file}: ${messageOf(error)}`, {
      hint: 'Make it readable, or remove it.',
      cause: error,
    })
  })
  try {
    const values = parseDotEnv(text, environment)
    if ('COMPOSE_FILE' in values)
      throw new Error('COMPOSE_FILE names other compose files, and the lab reads the one it is given')
    return values
  } catch (error) {
    throw new LabError('COMPOSE_FILE_INVALID', `cannot read ${file}: ${messageOf(error)}`, {
      hint: messageOf(error).startsWith('COMPOSE_FILE')
        ? 'Take it out, and name the file with LAB_COMPOSE_FILE or --file; docker compose config makes one of several.'
        : 'docker compose config shows how Compose reads it. A value is safe between single quotes.',
      cause: error,
    })
  }
}
