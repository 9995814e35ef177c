/**
 * Finding the Docker Engine, and Compose.
 */
import type Docker from 'dockerode'
import { LabError, messageOf, throwIfInterrupted } from '../../errors.ts'
import type { Variables } from '../../topology/compose/interpolation.ts'
import { seconds } from '../../wait.ts'
import { lastLines, run } from '../command.ts'

const PING_TIMEOUT_MS = 2_000

/** What the engine answers by itself. Without a limit dockerode waits for ever. */
const ANSWER_TIMEOUT_MS = 60_000

/** The same engine twice. */
export interface Engine {
  /** Every answer has a limit. */
  readonly prompt: Docker
  /** For what takes as long as a container does: see {@link within}. */
  readonly patient: Docker
}

/**
 * Connects to the engine that the docker command would use: DOCKER_HOST, else the current context.
 * @throws LabError NO_RUNTIME when none answers, or there is no `docker compose`.
 */
export async function connectEngine(variables: Variables): Promise<Engine> {
  const socketPath = socketOf(variables['DOCKER_HOST'] || (await contextHost(variables)))
  const { default: Docker } = await import('dockerode') // here: it takes longer to load than everything else together
  const engine = {
    prompt: new Docker({ socketPath, timeout: ANSWER_TIMEOUT_MS }),
    patient: new Docker({ socketPath, timeout: 0 }),
  }
  await ping(engine.prompt).catch((error: unknown) => {
    throw new LabError('NO_RUNTIME', `no Docker Engine answers: ${messageOf(error)}`, {
      hint: 'Start Docker, or use LAB_RUNTIME=local, which needs no Docker.',
      cause: error,
    })
  })
  const compose = await run(['docker', 'compose', 'version'], { environment: variables }).catch(() => ({ exitCode: 1 }))
  if (compose.exitCode !== 0) {
    throw new LabError('NO_RUNTIME', 'a Docker Engine answers, but there is no docker compose (version 2)', {
      hint: 'Install the Compose plugin, or use LAB_RUNTIME=local, which needs no Docker.',
    })
  }
  return engine
}

/**
 * The socket of an engine on this machine. Elsewhere the published ports would be elsewhere, too, and dockerode and Compose,
 * which each read addresses in their own way, might even talk to two of them.
 * @throws LabError NO_RUNTIME for every other address
 */
export function socketOf(host: string): string {
  if (host.startsWith('unix://')) return host.slice('unix://'.length)
  throw new LabError('NO_RUNTIME', `the Docker Engine is at ${host}, and the lab needs one on this machine`, {
    hint: 'Choose one with a Unix socket (docker context use, or DOCKER_HOST=unix:///var/run/docker.sock), or use LAB_RUNTIME=local.',
  })
}

/** That of DOCKER_CONTEXT, or of the one in use; without the docker command, where it would look by default. */
async function contextHost(variables: Variables): Promise<string> {
  const command = ['docker', 'context', 'inspect', '--format', '{{.Endpoints.docker.Host}}'] as const
  const result = await run([...command], { environment: variables }).catch(() => undefined)
  if (result === undefined) return 'unix:///var/run/docker.sock'
  if (result.exitCode === 0) return result.stdout.trim()
  throw new LabError('NO_RUNTIME', `docker does not say where its engine is: ${lastLines(result.stderr, 1)}`, {
    hint: 'docker context ls shows the contexts; DOCKER_CONTEXT names one.',
  })
}

async function ping(engine: Docker): Promise<void> {
  // The limit: dockerode has none for connecting, and a socket with nobody behind it never answers.
  const late = new Promise<never>((_, reject) =>
    setTimeout(() => reject(new Error(`no answer within ${PING_TIMEOUT_MS} ms`)), PING_TIMEOUT_MS).unref(),
  )
  await Promise.race([engine.ping(), late])
}

export interface WithinOptions {
  /** What is waited for, as the end of a sentence: `primary to stop`. */
  readonly what: string
  readonly timeoutMs: number
  readonly signal?: AbortSignal | undefined
}

/** Makes a call of the patient engine, which gets the signal that ends it. @throws LabError TIMEOUT, INTERRUPTED, and what it throws */
export async function within<T>(
  { what, timeoutMs, signal }: WithinOptions,
  call: (abortSignal: AbortSignal) => Promise<T>,
): Promise<T> {
  throwIfInterrupted(signal)
  const limit = AbortSignal.timeout(Math.ceil(timeoutMs))
  try {
    return await call(signal === undefined ? limit : AbortSignal.any([signal, limit]))
  } catch (error) {
    throwIfInterrupted(signal)
    if (!limit.aborted) throw error
    throw new LabError('TIMEOUT', `waited ${seconds(timeoutMs)} for ${what}`, { hint: 'docker ps shows what runs.' })
  }
}

export interface ImageOptions {
  readonly variables: Variables
  readonly mayPull: boolean
  readonly signal?: AbortSignal | undefined
  readonly onProgress?: ((step: string) => void) | undefined
}

/**
 * Makes sure the image is here, pulling it if it is not.
 * @throws LabError IMAGE_UNAVAILABLE
 */
export async function requireImage(engine: Docker, image: string, options: ImageOptions): Promise<void> {
  const { variables, mayPull, signal, onProgress } = options
  const isHere = await engine
    .getImage(image)
    .inspect()
    .then(
      () => true,
      (error: unknown) => {
        if (statusCode(error) === 404) return false
        throw dockerError(`cannot look for the image ${image}`, error)
      },
    )
  if (isHere) return
  if (!mayPull)
    throw new LabError('IMAGE_UNAVAILABLE', `Docker does not have the image ${image}`, { hint: `docker pull ${image}` })
  onProgress?.(`pulling the image ${image}`)
  const { exitCode, stderr } = await run(['docker', 'pull', image], {
    ...{ environment: variables, timeoutMs: PULL_TIMEOUT_MS, signal },
  })
  if (exitCode === 0) return
  throw new LabError(
    'IMAGE_UNAVAILABLE',
    `the image ${image} is not here and cannot be pulled: ${lastLines(stderr, 1)}`,
    {
      hint: 'Name another with POSTGRES_IMAGE, or use LAB_RUNTIME=local, which needs no image.',
    },
  )
}

/** 150 MB over a slow line. */
const PULL_TIMEOUT_MS = 1_800_000

/** The HTTP status with which the engine answered, if an error is an answer. */
export const statusCode = (error: unknown): number | undefined =>
  typeof error === 'object' && error !== null && 'statusCode' in error ? Number(error.statusCode) : undefined

export const dockerError = (fact: string, cause: unknown): LabError =>
  new LabError('DOCKER_FAILED', `${fact}: ${messageOf(cause)}`, {
    hint: 'docker info shows whether the engine is well.',
    cause,
  })
