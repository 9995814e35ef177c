/**
 * Limits: nothing that this service waits for may last for ever.
 */

/** What it comes to, or an error after so many milliseconds. What it was then goes on unheard. */
export async function within<T>(limitMs: number, what: string, work: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const limit = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: no answer within ${limitMs} ms`)), limitMs)
  })
  try {
    return await Promise.race([work, limit])
  } finally {
    clearTimeout(timer)
  }
}

/** Lets time pass between two attempts, or until the signal fires. */
export async function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return
  await new Promise<void>(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(() => done(), ms)
    signal.addEventListener('abort', done, { once: true })
  })
}

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))
