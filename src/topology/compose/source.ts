/**
 * The files that describe a cluster, unread: docker-compose.yml, the override beside it, and `.env`.
 */
import { existsSync } from 'node:fs'
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
  /** Those of the environment and of `.env`; Compose must be run with the same. */
  readonly variables: Variables
}

export interface ComposeDocument {
  readonly file: string
  readonly text: string
}

/** @throws LabError COMPOSE_FILE_MISSING, COMPOSE_FILE_INVALID */
export async function readSource({ file, environment }: SourceOptions): Promise<ComposeSource> {
  const path = resolve(file)
  const override = overrideBeside(path)
  const main = await readDocument(path)
  const set = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== undefined))
  return {
    documents: override === undefined ? [main] : [main, await readDocument(override)],
    variables: { ...(await readDotEnv(join(dirname(path), '.env'), set)), ...set },
  }
}

async function readDocument(file: string): Promise<ComposeDocument> {
  const text = await readFile(file, 'utf8').catch((error: unknown) => {
    throw new LabError('COMPOSE_FILE_MISSING', `cannot read ${file}: ${messageOf(error)}`, {
      hint: 'Run the command in the folder of docker-compose.yml, or name the file with --file or LAB_COMPOSE_FILE.',
      cause: error,
    })
  })
  return { file, text }
}

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
    throw unreadable(file, error, 'Make it readable, or remove it.')
  })
  const values = parsedDotEnv(file, text, environment)
  if (!('COMPOSE_FILE' in values)) return values
  const fact = new Error('COMPOSE_FILE names other compose files, and the lab reads the one it is given')
  const hint =
    'Take it out, and name the file with LAB_COMPOSE_FILE or --file; docker compose config makes one of several.'
  throw unreadable(file, fact, hint)
}

function parsedDotEnv(file: string, text: string, environment: Variables): Variables {
  try {
    return parseDotEnv(text, environment)
  } catch (error) {
    const hint = 'docker compose config shows how Compose reads it. A value is safe between single quotes.'
    throw unreadable(file, error, hint)
  }
}

const unreadable = (file: string, cause: unknown, hint: string): LabError =>
  new LabError('COMPOSE_FILE_INVALID', `cannot read ${file}: ${messageOf(cause)}`, { hint, cause })
