/**
 * Compose files and .env lines with what Docker Compose answered to each: `docker compose config`, typed in their folder.
 * COMPOSE_CORPUS=record pnpm vitest run test/lab/compose-corpus.test.ts writes the answers anew.
 */
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Variables } from '../../src/topology/compose/interpolation.ts'
import type { ComposeModel } from '../../src/topology/compose/model.ts'

export interface CorpusCase {
  readonly name: string
  /** By name; the first is the compose file. */
  readonly files: Readonly<Record<string, string>>
  readonly environment?: Readonly<Record<string, string>>
  /** A word of the error, where the lab does not read what Compose does. */
  readonly unread?: string
  /** Null where Compose refuses. */
  readonly answer: Answer | null
}

export type Answer = Readonly<Record<string, unknown>>

interface Corpus {
  /** Of Docker Compose. */
  readonly version: string
  readonly cases: readonly CorpusCase[]
}

const FILE = fileURLToPath(new URL('../unit/topology/compose/corpus.json', import.meta.url))

export const readCorpus = async (): Promise<Corpus> => JSON.parse(await readFile(FILE, 'utf8')) as Corpus

export const writeCorpus = (corpus: Corpus): Promise<void> =>
  writeFile(FILE, `${JSON.stringify(corpus, undefined, 2)}\n`)

/** Where the files of a case are, for as long as they are needed. */
export interface Place {
  readonly file: string
  readonly folder: string
  readonly environment: Variables
}

/** Where Docker may have Compose. */
const CONFIG = process.env['DOCKER_CONFIG'] ?? join(homedir(), '.docker')

/** The files in a folder; its name is always the same, because a project may be called by it. */
export async function laidOut({ files, environment = {} }: CorpusCase): Promise<Place & AsyncDisposable> {
  const scratch = await mkdtemp(join(tmpdir(), 'labtest-corpus-'))
  const folder = join(scratch, 'The-corpus')
  await mkdir(folder)
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
  return {
    file: join(folder, Object.keys(files)[0]!),
    folder,
    environment: { PATH: process.env['PATH'], DOCKER_CONFIG: CONFIG, HOME: join(scratch, 'home'), ...environment },
    [Symbol.asyncDispose]: () => rm(scratch, { recursive: true }),
  }
}

/** What the lab reads of an answer, with the folder's place taken out. */
export function answerOf({ name, services }: ComposeModel, { folder }: { readonly folder: string }): Answer {
  const read = Object.entries(services).map(([service, body]) => {
    const { image, container_name, command = null, environment = {}, ports = [], volumes = [] } = body
    return [
      service,
      {
        ...{ image, container_name, command },
        environment: Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== null)),
        ports: ports.map(({ host_ip, target, published, protocol }) => ({ host_ip, target, published, protocol })),
        volumes: volumes.map(({ type, source, target }) => ({ type, source, target })),
      },
    ] as const
  })
  const text = JSON.stringify({ name, services: Object.fromEntries(read) })
  return JSON.parse(text.replaceAll(join(folder, '..'), '<scratch>')) as Answer
}
