/**
 * Ctrl-C: the first asks everything to unwind, the second ends the process.
 */
import { LabError } from '../errors.ts'

/** Exit code of a process that was interrupted, as shells count it. */
export const INTERRUPTED_EXIT_CODE = 130

export interface Interrupt extends Disposable {
  readonly signal: AbortSignal
  /** From now on Ctrl-C is a child's business: psql uses it to cancel a query. */
  leaveToChild(): void
}

/** Listens for SIGINT, SIGTERM and SIGHUP until it is disposed of. */
export function createInterrupt(onFirst: () => void): Interrupt {
  const controller = new AbortController()
  let isLeftToChild = false
  const onSignal = (name: NodeJS.Signals): void => {
    if (isLeftToChild && name === 'SIGINT') return
    if (controller.signal.aborted) process.exit(INTERRUPTED_EXIT_CODE)
    onFirst()
    controller.abort(new LabError('INTERRUPTED', `interrupted by ${name}`))
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const
  for (const name of signals) process.on(name, onSignal)
  return {
    signal: controller.signal,
    leaveToChild: () => (isLeftToChild = true),
    [Symbol.dispose]: () => {
      for (const name of signals) process.off(name, onSignal)
    },
  }
}
