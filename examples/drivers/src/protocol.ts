/**
 * What the matrix and a subject's process say to each other, over the channel that node gives a forked process. Instants are
 * milliseconds of one clock, the machine's: performance.timeOrigin + performance.now().
 */

/**
 * What a subject does over and over.
 * - write: one INSERT, committed by itself
 * - transaction: BEGIN, INSERT, a third of a second, COMMIT
 * - busy: INSERTs that take half a second, more of them at once than a pool has connections
 * - listen: nothing but LISTEN; the matrix sends notifications
 * - read: one SELECT, by the replica feature
 */
export type Work = 'write' | 'transaction' | 'busy' | 'listen' | 'read'

/** Where a subject connects to, and what it writes to. */
export interface Target {
  /** The one address, which moves as the situation says. */
  readonly url: string
  /** Of each node, the primary of the beginning first. */
  readonly nodeUrls: readonly string[]
  /** Of each standby of the beginning. */
  readonly standbyUrls: readonly string[]
  readonly table: string
}

export type ToSubject =
  | { readonly kind: 'go'; readonly target: Target; readonly work: Work; readonly ratePerSecond: number }
  /** As many slow requests at once: from then on the pool is as large as it gets. */
  | { readonly kind: 'fill'; readonly connections: number }

export type FromSubject =
  | { readonly kind: 'loaded' }
  | { readonly kind: 'begun'; readonly attempt: number; readonly id: string; readonly at: number }
  /** Without `error` it was acknowledged. */
  | { readonly kind: 'settled'; readonly attempt: number; readonly at: number; readonly error?: string }
  | { readonly kind: 'heard'; readonly id: string; readonly at: number }
  | { readonly kind: 'filled' }
  | { readonly kind: 'memory'; readonly rssBytes: number }
  /** Node's last word before it ends the process. */
  | { readonly kind: 'dies'; readonly error: string }

/** What listeners listen to. */
export const CHANNEL = 'drivers'

export const now = (): number => performance.timeOrigin + performance.now()
