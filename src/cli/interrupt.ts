/**
 * What ends a command early: Ctrl-C (the first asks everything to unwind, the second ends the process), and a pipe that
 * nobody reads any more.
 */
import { codeOf, LabError } from '../errors.ts'

/** Exit code of a process that was interrupted, as shells count it. */
export const INTERRUPTED_EXIT_CODE = 130
/** Exit code of a process that SIGPIPE has ended; node ignores that signal, and fails to write instead. */
export const CLOSED_PIPE_EXIT_CODE = 141

export interface Interrupt {
  readonly signal: AbortSignal
  /** Whether nobody reads what is printed: then there is nobody to tell, either. */
  readonly isUnheard: boolean
  /** From now on Ctrl-C is a child's business: psql uses it to cancel a query. */
  leaveToChild(): void
}

/** Listens, until the process ends, for SIGINT, SIGTERM and SIGHUP, and for what a write to a closed pipe says. */
export function createInterrupt(): Interrupt {
  const controller = new AbortController()
  let isLeftToChild = false
  let isUnheard = false
  let wasAsked = false
  const onSignal = (name: NodeJS.Signals): void => {
    if (isLeftToChild && name === 'SIGINT') return
    if (wasAsked) process.exit(INTERRUPTED_EXIT_CODE)
    wasAsked = true
    controller.abort(new LabError('INTERRUPTED', `interrupted by ${name}`))
  }
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  const onWriteError = (error: Error): void => {
    if (!GONE.has(codeOf(error) ?? '')) throw error
    isUnheard = true
    controller.abort(new LabError('INTERRUPTED', 'nobody reads the output any more', { cause: error }))
  }
  for (const stream of [process.stdout, process.stderr]) stream.on('error', onWriteError)
  return {
    signal: controller.signal,
    get isUnheard() {
      return isUnheard
    },
    leaveToChild: () => (isLeftToChild = true),
  }
}

/** The reader has closed the pipe, the terminal is gone, and every write after that. */
const GONE = new Set(['EPIPE', 'EIO', 'ERR_STREAM_DESTROYED'])
