/**
 * Waiting, in one place: everything that waits says for what, how long, and what it last saw.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { interrupted, LabError, throwIfInterrupted } from './errors.ts'
import { unlessInterrupted } from './shared.ts'

/** Something that will be true. `observe` looks once, changes nothing, and says what it saw if it is not true yet. */
export interface Condition<T> {
  /** What is waited for, as the end of a sentence: `replica1 to be promoted`. */
  readonly what: string
  observe(signal: AbortSignal): Promise<Observation<T>>
}

export type Observation<T> = { readonly met: true; readonly value: T } | { readonly met: false; readonly seen: string }

/**
 * A condition is met, and this came of it.
 * @example
 * ```ts
 * const condition: Condition<number> = { what: 'the file to be there', observe: async () => met(1) }
 * ```
 */
export const met = <T>(value: T): Observation<T> => ({ met: true, value })
/**
 * A condition is not met yet; this was seen, and is told when the time is over.
 * @example
 * ```ts
 * const condition: Condition<number> = { what: 'the file to be there', observe: async () => notMet('it is not') }
 * ```
 */
export const notMet = (seen: string): Observation<never> => ({ met: false, seen })

export interface WaitOptions {
  /** Limit of the whole wait in milliseconds. It has no default: the caller decides. */
  readonly timeoutMs: number
  /** Pause between two looks in milliseconds. @default 10 */
  readonly intervalMs?: number | undefined
  readonly signal?: AbortSignal | undefined
  /** What to do when it takes too long: the error's hint. */
  readonly hint?: string | undefined
}

/**
 * Looks until the condition is met, and returns its value.
 * An error thrown by `observe` ends the wait: a condition that expects errors turns them into what it saw.
 * @throws LabError TIMEOUT, saying what was last seen; INTERRUPTED when the signal fires.
 * @example
 * ```ts
 * await waitUntil(healthy(cluster), { timeoutMs: 60_000 })
 * ```
 */
export async function waitUntil<T>(condition: Condition<T>, options: WaitOptions): Promise<T> {
  const { timeoutMs, intervalMs = 10, signal, hint } = options
  const deadline = performance.now() + timeoutMs
  const limit = new AbortController()
  const timer = setTimeout(() => limit.abort(), Math.ceil(timeoutMs) + LAST_LOOK_MS)
  const either = signal === undefined ? limit.signal : AbortSignal.any([signal, limit.signal])
  let seen = 'nothing yet'
  try {
    for (;;) {
      throwIfInterrupted(signal)
      // An observation may not heed the signal; the error still says what was seen before.
      const observation = await unlessInterrupted(condition.observe(either), either).catch((error: unknown) => {
        throwIfInterrupted(signal)
        if (!limit.signal.aborted) throw error
        return notMet(seen)
      })
      if (observation.met) return observation.value
      seen = observation.seen
      const remainingMs = deadline - performance.now()
      if (remainingMs <= 0) {
        throw new LabError('TIMEOUT', `waited ${seconds(timeoutMs)} for ${condition.what}; last seen: ${seen}`, {
          ...(hint === undefined ? {} : { hint }),
        })
      }
      await pause(Math.min(intervalMs, remainingMs), signal)
    }
  } finally {
    clearTimeout(timer) // or it would end what was begun during the wait, and goes on after it
  }
}

/** The last look is at the deadline, and may take this long. */
const LAST_LOOK_MS = 100

/**
 * Lets `ms` milliseconds pass. Only for a cadence (the pause between two samples), never to hope that something is done by then.
 * @throws LabError INTERRUPTED when the signal fires.
 */
export async function pause(ms: number, signal?: AbortSignal): Promise<void> {
  try {
    await sleep(ms, undefined, { signal })
  } catch (error) {
    throw interrupted(error)
  }
}

/** `1.5 s`, `250 ms`: for messages. */
export const seconds = (ms: number): string =>
  ms < 1000 ? `${Math.round(ms)} ms` : `${Number((ms / 1000).toFixed(1))} s`
