/**
 * What can go wrong, in one class: a fact, what to do about it, and a code to decide by.
 */

/** Every code a {@link LabError} can carry, with what it means. */
export const labErrorCodes = {
  USAGE: 'the command line or an option is wrong',
  COMPOSE_FILE_MISSING: 'there is no docker-compose.yml where one was expected',
  COMPOSE_FILE_INVALID: 'docker-compose.yml cannot be parsed, or describes something the lab cannot run',
  NO_PRIMARY_SERVICE: 'docker-compose.yml names no service that starts as the primary',
  UNKNOWN_VARIABLE: 'docker-compose.yml uses an environment variable that has neither a value nor a default',
  NO_RUNTIME: 'there is neither a Docker Engine nor a PostgreSQL installation to run the cluster',
  PROGRAM_MISSING: 'a program that is needed is not installed, or not in PATH',
  DOCKER_FAILED: 'Docker refused or failed',
  IMAGE_UNAVAILABLE: 'the PostgreSQL image is neither here nor can it be pulled',
  PORT_IN_USE: 'a port of the cluster is taken by something else',
  NODE_FAILED: 'a server, or the script that starts it, ended when it should have run',
  CLONE_FAILED: 'a standby could not be cloned from the primary',
  WRONG_PASSWORD: 'a server refused the password',
  OTHER_CLUSTER: 'the servers on the ports do not belong to this cluster, or not to one cluster',
  UNREACHABLE: 'a server does not answer',
  CONNECTION_LOST: 'a connection ended before the answer, and what was asked for may have been done',
  UNKNOWN_NODE: 'no node has that name, or none has that role now',
  NOT_RUNNING: 'the cluster is not up',
  LOCKED: 'another process is changing the cluster',
  MANAGED: 'another program manages the cluster, and the lab leaves it alone',
  NO_PRIMARY: 'no node accepts writes',
  NO_CANDIDATE: 'no standby is left that could be promoted',
  SPLIT_BRAIN: 'more than one node accepts writes',
  NOT_READY: 'a check before a change failed, so nothing was changed',
  ABORTED: 'a switchover was given up after it had begun, and the old primary goes on',
  NOT_FENCED: 'the old primary may still accept writes, so nothing was promoted',
  UNSUPPORTED_FAULT: 'this runtime, or this machine, cannot do that to a node',
  TIMEOUT: 'something that was waited for did not happen in time',
  NOT_REMOVABLE: 'the node is none that can be removed now',
  STATE_INVALID: 'a file in which the lab keeps something between two commands cannot be read, or not written',
  SALVAGE_FAILED: 'what only an old primary has could not be read or kept, so nothing was erased',
  FILE_NOT_WRITTEN: 'a report or a history could not be written; what was measured was printed before',
  INTERRUPTED: 'the user, or a signal, ended the work',
} as const

export type LabErrorCode = keyof typeof labErrorCodes

/**
 * The only error the lab throws on purpose, worded as PostgreSQL words its own:
 * the message is the fact, lower case, without a full stop; the hint is a sentence that says what to do now.
 * @example
 * ```ts
 * throw new LabError('USAGE', 'there is no table orders', { hint: 'Create it first.' })
 * ```
 */
export class LabError extends Error {
  override readonly name = 'LabError'
  readonly code: LabErrorCode
  readonly hint: string | undefined

  constructor(code: LabErrorCode, message: string, options: { readonly hint?: string; readonly cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.hint = options.hint
  }
}

/**
 * Whether `error` is a {@link LabError}, of that code if one is given.
 * @example
 * ```ts
 * await failover(cluster, 'primary', { timeoutMs: 60_000 }).catch((error: unknown) => {
 *   if (!isLabError(error, 'NO_CANDIDATE')) throw error
 * })
 * ```
 */
export const isLabError = (error: unknown, code?: LabErrorCode): error is LabError =>
  error instanceof LabError && (code === undefined || error.code === code)

/** One line about anything that was thrown. An AggregateError (as node's sockets throw) speaks through its first error. */
export function messageOf(error: unknown): string {
  if (error instanceof AggregateError && error.message === '') return messageOf(error.errors[0])
  return error instanceof Error ? error.message : String(error)
}

/** What went wrong first, where releasing a resource failed on top of it. */
export const originOf = (error: unknown): unknown =>
  error instanceof Error && error.name === 'SuppressedError' && 'suppressed' in error
    ? originOf(error.suppressed)
    : error

/** The code of an error by node or PostgreSQL (`ECONNREFUSED`, `57P01`), if it has one. */
export function codeOf(error: unknown): string | undefined {
  if (error instanceof AggregateError && !('code' in error)) return codeOf(error.errors[0])
  const code = typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : undefined
}

/** `INTERRUPTED` if `signal` has fired. Call it between steps that do not take the signal themselves. */
export function throwIfInterrupted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw interruptionBy(signal)
}

/** The error for `signal`, which has fired. */
export const interruptionBy = ({ reason }: AbortSignal): LabError => (isLabError(reason) ? reason : interrupted(reason))

/** The error for a fired signal, whoever fired it. */
export const interrupted = (cause?: unknown): LabError => new LabError('INTERRUPTED', 'interrupted', { cause })
