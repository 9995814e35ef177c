/**
 * What was interrupted is judged as interrupted: whatever an experiment trips over once the user has ended it says nothing
 * about the cluster.
 */
import { isLabError, originOf } from '../errors.ts'

export const wasInterrupted = (error: unknown, signal: AbortSignal | undefined): boolean =>
  signal?.aborted === true || isLabError(originOf(error), 'INTERRUPTED')
