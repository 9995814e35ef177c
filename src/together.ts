/**
 * Several things at once, as one: what was started has ended, well or not, before the caller goes on.
 */

/**
 * Does `work` for each item side by side, and returns what came of each. When one fails, the signal tells the others to end;
 * the first error is thrown when all of them have: what undoes them must not run beside them.
 */
export async function together<T, R>(
  items: readonly T[],
  work: (item: T, signal: AbortSignal) => Promise<R>,
  signal?: AbortSignal,
): Promise<R[]> {
  const failed = new AbortController()
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal])
  let first: { readonly error: unknown } | undefined
  const results = await Promise.allSettled(
    items.map(async item => {
      try {
        return await work(item, either)
      } catch (error) {
        first ??= { error }
        failed.abort()
        throw error
      }
    }),
  )
  if (first !== undefined) throw first.error
  return results.flatMap(result => (result.status === 'fulfilled' ? [result.value] : []))
}
