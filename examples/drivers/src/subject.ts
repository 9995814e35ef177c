/**
 * What a driver is asked to be able to do. Each file in subjects/ opens one, with the driver's defaults or mended.
 */
import type { Target, Work } from './protocol.ts'

export interface Subject {
  /** Inserts the id into the subject's table, and takes so long about it. Rejects with what the driver says. */
  readonly write?: (id: string, seconds: number) => Promise<unknown>
  /** The same in a transaction: BEGIN, INSERT, so long, COMMIT. */
  readonly transaction?: (id: string, seconds: number) => Promise<unknown>
  /** Calls back for each notification on the channel. */
  readonly listen?: (channel: string, heard: (payload: string) => void) => Promise<unknown>
  /** Whether its transactions would mix, where two were under way at once. */
  readonly isOneAtATime?: boolean
  /** Reads one row from a standby, by the driver's own feature. */
  readonly read?: () => Promise<unknown>
}

export type Open = (target: Target) => Subject | Promise<Subject>

/** `mended`: with the smallest configuration that is known to help. */
export type Variant = 'default' | 'mended'

/** A subject without its driver, so that it can be listed where no driver is installed. */
export interface SubjectSpec {
  readonly id: string
  readonly title: string
  /** The package whose version decides. */
  readonly packageName: string
  /** In subjects/. */
  readonly module: string
  readonly works: readonly Work[]
  /** By default a pool opens so many. */
  readonly connections: number
  /** `address`: one, which moves. `nodes`: all of them, and the driver chooses. `router`: pg-failover-lab/router chooses. */
  readonly via: 'address' | 'nodes' | 'router'
  /** What its two variants are, where it is not defaults and mended. */
  readonly variants?: Readonly<Record<Variant, string>>
}

/** Everything the writers write with, so that no driver is asked to do more than another. */
export const insertInto = (table: string): string => `INSERT INTO ${table} (id) SELECT $1 FROM pg_sleep($2)`
