/**
 * Limits that a test need not know: whatever waits has one.
 */
export interface Limits {
  /** In milliseconds, of the whole of what is done. @default 60000 */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

export const TIMEOUT_MS = 60_000

/** With what is standard in the place of what is not given. */
export const limited = ({
  timeoutMs = TIMEOUT_MS,
  signal,
}: Limits): { readonly timeoutMs: number; readonly signal?: AbortSignal } => ({
  timeoutMs,
  ...(signal === undefined ? {} : { signal }),
})
