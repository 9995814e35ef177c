/**
 * Who writes and then reads: how often the read does not see the write, and what it costs that it does. Pure.
 */
import { summaryOf, type Summary } from './statistics.ts'

/** Where the read goes after the write. */
export const readWays = ['any-standby', 'fixed-delay', 'sticky-primary', 'token', 'remote-apply'] as const
export type ReadWay = (typeof readWays)[number]

/** One write, and the read after it. */
export interface WriteAndRead {
  readonly isStale: boolean
  /** From the write to its acknowledgement, in milliseconds. */
  readonly writeMs: number
  /** From the write to the answer to the read. */
  readonly bothMs: number
  readonly role: 'primary' | 'standby'
}

export interface ReadWayResult {
  readonly way: ReadWay
  readonly requests: number
  /** Reads that did not see the write before them. */
  readonly stale: number
  /** Reads that the primary answered. */
  readonly onPrimary: number
  readonly writeMs: Summary
  readonly bothMs: Summary
}

export interface ReadYourWritesDocument {
  readonly version: 1
  readonly runtime: 'docker' | 'local'
  readonly postgresVersion: string
  /** Rows that one statement inserted meanwhile, again and again. */
  readonly burstRows: number
  readonly connections: number
  /** Of the fixed delay. */
  readonly delayMs: number
  readonly ways: readonly ReadWayResult[]
}

/** @throws RangeError without requests */
export const summariseReads = (way: ReadWay, requests: readonly WriteAndRead[]): ReadWayResult => ({
  way,
  requests: requests.length,
  stale: requests.filter(({ isStale }) => isStale).length,
  onPrimary: requests.filter(({ role }) => role === 'primary').length,
  writeMs: summaryOf(requests.map(({ writeMs }) => writeMs)),
  bothMs: summaryOf(requests.map(({ bothMs }) => bothMs)),
})
