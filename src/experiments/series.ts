/**
 * The same again and again, and what is kept of it when it ends early.
 */
import { wasInterrupted } from './interruption.ts'

export interface SeriesOptions<R> {
  readonly trials: number
  /** One of them, from 1 on. */
  readonly trial: (number: number) => Promise<R>
  /** Done after the last. */
  readonly finish?: (() => Promise<void>) | undefined
  /** Told of each trial when it is done. */
  readonly onTrial?: ((result: R, number: number) => void) | undefined
  /** Told of an error that ends the series: the trials that are done by then are returned. @default it is thrown */
  readonly onFailure?: ((error: unknown) => void) | undefined
  readonly signal?: AbortSignal | undefined
}

/**
 * Returns what each left. An interruption ends the series: the trials that are done by then are returned, if any is, and
 * the one in the middle is not judged.
 * @throws what a trial throws, without `onFailure` or before the first trial is done; INTERRUPTED before it
 */
export async function runSeries<R>(options: SeriesOptions<R>): Promise<readonly R[]> {
  const { trials, trial, finish, onTrial, onFailure, signal } = options
  const results: R[] = []
  try {
    for (let number = 1; number <= trials; number++) {
      const result = await trial(number)
      results.push(result)
      onTrial?.(result, number)
    }
    await finish?.()
  } catch (error) {
    if (results.length === 0) throw error
    if (!wasInterrupted(error, signal)) {
      if (onFailure === undefined) throw error
      onFailure(error)
    }
  }
  return results
}
